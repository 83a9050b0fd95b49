/* Which columns the counts support: what `sbd.judge_columns` computes, for a square image. Arithmetic
   alone: the page hands in its networks and its chance. tests/test_live_verdicts.py holds it against Python. */
"use strict";
(() => {
  const BIN = 0.25, SIDE = 32, REACH = 0.75;  // of the eraser's patches and of the disc [angstrom]
  const STRICT = 0.4, WEAK = 0.5, NORMAL = 1.959964, LEAST = 1e-12, GRID = 4096;
  const COARSE = 0.25, RAISED = 1e-3, DOUBT = 0.05, FINEST = 0.01, COARSEST = 0.35;

  // --- numbers

  /* To the nearest whole number, halves to the even one, as Python rounds. */
  function rint(x) {
    const low = Math.floor(x), rest = x - low;
    return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
  }

  const clip = (x, low, high) => Math.min(high, Math.max(low, x));

  function sorted(values) { return Float64Array.from(values).sort(); }

  /* Between the two values beside it, as numpy interpolates. */
  function quantile(values, part) {
    const line = sorted(values), at = part * (line.length - 1), low = Math.floor(at);
    return line[low] + (at - low) * (line[Math.min(low + 1, line.length - 1)] - line[low]);
  }

  function spread(low, high, number) {
    const from = Math.log(low), by = Math.log(high) - from;
    return Float64Array.from({length: number}, (_, i) =>
      i === 0 || number === 1 ? low : i === number - 1 ? high : Math.exp(from + by * i / (number - 1)));
  }

  /* Probability that a normal number exceeds x: a series, or far out a continued fraction. */
  function normalTail(x) {
    if (x < 0) return 1 - normalTail(-x);
    const density = Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
    if (x < 3) {
      let term = x, sum = x;
      for (let k = 1; k < 200 && term > 1e-17 * sum; k++) { term *= x * x / (2 * k + 1); sum += term; }
      return 0.5 - density * sum;
    }
    let rest = 0;
    for (let k = 120; k > 0; k--) rest = k / (x + rest);
    return density / (x + rest);
  }

  /* Numbers in [0, 1) that have nothing in common with those that the counts were drawn with:
     Chris Doty-Humphrey's sfc32. */
  function chance(seed) {
    let a = seed >>> 0, b = 0x6A756467, c = 0x65206974, count = 1;
    const next = () => {
      const out = (a + b + count) >>> 0;
      count = (count + 1) >>> 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) >>> 0;
      c = ((c << 21 | c >>> 11) + out) >>> 0;
      return out / 4294967296;
    };
    for (let i = 0; i < 20; i++) next();
    return next;
  }

  // --- cosine transforms

  const tables = new Map();
  /* Cosines of all waves at all pixels of a line: (waves, pixels). */
  function waves(n) {
    if (tables.has(n)) return tables.get(n);
    const table = new Float64Array(n * n);
    for (let k = 0; k < n; k++) for (let i = 0; i < n; i++)
      table[k * n + i] = Math.cos(Math.PI * (k * (2 * i + 1) % (4 * n)) / (2 * n));
    tables.set(n, table);
    return table;
  }

  /* (a, b) times (b, c). */
  function multiply(left, right, a, b, c) {
    const out = new Float64Array(a * c);
    for (let i = 0; i < a; i++) {
      const line = out.subarray(i * c, (i + 1) * c);
      for (let k = 0; k < b; k++) {
        const times = left[i * b + k], other = right.subarray(k * c, (k + 1) * c);
        if (times !== 0) for (let j = 0; j < c; j++) line[j] += times * other[j];
      }
    }
    return out;
  }

  function transpose(values, a, b) {
    const out = new Float64Array(a * b);
    for (let i = 0; i < a; i++) for (let j = 0; j < b; j++) out[j * a + i] = values[i * b + j];
    return out;
  }

  function transformCosines(image, n) {
    const table = waves(n), half = multiply(table, image, n, n, n);
    const whole = transpose(multiply(table, transpose(half, n, n), n, n, n), n, n);
    for (let i = 0; i < n * n; i++) whole[i] *= 4;
    return whole;
  }

  /* The next length that has no factors but 2, 3 and 5, by mirrored pixels that no one sees. */
  function quickLength(n, reach) {
    const quick = m => {
      for (const factor of [2, 3, 5]) while (m % factor === 0) m /= factor;
      return m === 1;
    };
    if (quick(n) || reach > n) return n;
    let longer = n + Math.ceil(reach);
    while (!quick(longer)) longer++;
    return longer;
  }

  // --- columns

  const FAR = 9, SCALES = 8, RIDGE = 10;

  /* Laplacians of Gaussians of a square image, at a series of widths. */
  class Ladder {
    constructor(image, side) {
      const mean = image.reduce((sum, x) => sum + x, 0) / image.length;
      this.side = side;
      this.centred = Float64Array.from(image, x => x - mean);
      this.transform(0);
      const best = this.liveliest(), least = best / 1.5, most = Math.max(best * 1.5, least);
      const count = 2 * Math.ceil(SCALES * Math.log2(most / least) / 2) + 1;
      this.sigmas = spread(least, most, count);
      if (this.length !== side) this.transform(FAR * this.sigmas[count - 1]);
      for (let i = 0; i < this.curved.length; i++) this.curved[i] *= this.squared(i);
    }

    transform(reach) {
      const {side} = this, n = this.length = quickLength(side, reach);
      let image = this.centred;
      if (n !== side) {
        const mirror = i => i < side ? i : 2 * side - 1 - i;
        image = Float64Array.from({length: n * n}, (_, i) =>
          this.centred[mirror(Math.floor(i / n)) * side + mirror(i % n)]);
      }
      this.curved = transformCosines(image, n);
      this.frequencies = Float64Array.from({length: n}, (_, k) => Math.PI * k / n);
    }

    squared(i) {
      const n = this.length;
      return this.frequencies[Math.floor(i / n)] ** 2 + this.frequencies[i % n] ** 2;
    }

    /* The width at which the Laplacian varies most, white noise set aside. */
    liveliest() {
      const n = this.length, bins = 2000, top = Math.max(this.squared(n * n - 1), Number.MIN_VALUE);
      const rings = new Float64Array(bins + 1), members = new Float64Array(bins + 1), high = [];
      let last = 0;
      for (let i = 0; i < n * n; i++) {
        const power = this.curved[i] ** 2 / ((i < n ? 2 : 1) * (i % n === 0 ? 2 : 1)), squared = this.squared(i);
        const ring = Math.floor(bins * Math.sqrt(squared / top));
        rings[ring] += power;
        members[ring]++;
        last = Math.max(last, ring);
        if (squared >= top / 4) high.push(power);
      }
      const noise = quantile(high, 0.5) / 0.455;
      const sigmas = spread(1, Math.max(this.side / 8, 2), 100), varies = sigmas.map(sigma => {
        let sum = 0;
        for (let k = 0; k <= last; k++) {
          const a = (sigma * (k + 0.5) / bins) ** 2 * top;
          sum += (a * Math.exp(-a / 2)) ** 2 * Math.max(rings[k] - noise * members[k], 0);
        }
        return sum;
      });
      let best = -1, most = 0;
      for (let i = 1; i < 99; i++)
        if (varies[i] >= varies[i - 1] && varies[i] > varies[i + 1] && varies[i] > most) [best, most] = [i, varies[i]];
      return sigmas[best < 0 ? varies.indexOf(Math.max(...varies)) : best];
    }

    /* The coefficients that the Gaussian of a width does not quench, times it: (kept, kept). */
    smooth(number) {
      const sigma = this.sigmas[number], n = this.length;
      const line = this.frequencies.filter(f => sigma * f <= FAR).map(f => Math.exp(-((sigma * f) ** 2) / 2));
      const kept = line.length, part = new Float64Array(kept * kept), scale = sigma ** 2 / (4 * n * n);
      for (let k = 0; k < kept; k++) for (let l = 0; l < kept; l++)
        part[k * kept + l] = line[k] * scale * this.curved[k * n + l] * line[l] * (k ? 2 : 1) * (l ? 2 : 1);
      return {part, kept};
    }

    image(number) {
      const {side, length: n} = this, {part, kept} = this.smooth(number), table = waves(n);
      const ours = new Float64Array(kept * side);
      for (let k = 0; k < kept; k++) ours.set(table.subarray(k * n, k * n + side), k * side);
      return multiply(transpose(ours, kept, side), multiply(part, ours, kept, kept, side), side, kept, side);
    }

    /* Responses at places, at every width. */
    at(places) {
      const n = this.length;
      return Array.from(this.sigmas, (_, number) => {
        const {part, kept} = this.smooth(number), right = new Float64Array(kept);
        return places.map(([row, column]) => {
          for (let l = 0; l < kept; l++) right[l] = Math.cos(Math.PI / n * (column + 0.5) * l);
          let sum = 0;
          for (let k = 0; k < kept; k++) {
            let line = 0;
            for (let l = 0; l < kept; l++) line += part[k * kept + l] * right[l];
            sum += line * Math.cos(Math.PI / n * (row + 0.5) * k);
          }
          return sum;
        });
      });
    }
  }

  function derive(response, side, [r, c]) {
    const near = (i, j) => response[(r + i) * side + c + j];
    return {
      down: (near(1, 0) - near(-1, 0)) / 2,
      across: (near(0, 1) - near(0, -1)) / 2,
      rr: near(1, 0) + near(-1, 0) - 2 * near(0, 0),
      cc: near(0, 1) + near(0, -1) - 2 * near(0, 0),
      rc: (near(1, 1) + near(-1, -1) - near(1, -1) - near(-1, 1)) / 4,
    };
  }

  /* Tops of a filtered image that are blobs, not ridges. */
  function findPeaks(response, side, separation, lowest) {
    const reach = Math.max(rint(separation), 1), tops = new Map();
    for (let r = 1; r < side - 1; r++) for (let c = 1; c < side - 1; c++) {
      const here = response[r * side + c];
      if (!(here > lowest)) continue;
      let top = true;
      for (let i = Math.max(r - reach, 0); top && i <= Math.min(r + reach, side - 1); i++)
        for (let j = Math.max(c - reach, 0); top && j <= Math.min(c + reach, side - 1); j++)
          top = response[i * side + j] <= here;
      if (top) tops.set(r * side + c, [r, c]);
    }
    const peaks = [];
    for (const [r, c] of tops.values()) {
      if (!tops.has(r * side + c)) continue;
      const equal = [[r, c]];  // neighbours that are as high count once
      while (equal.length) {
        const [i, j] = equal.pop();
        for (let k = 0; k < 9; k++) {
          const near = [i + Math.floor(k / 3) - 1, j + k % 3 - 1], key = near[0] * side + near[1];
          if (key !== r * side + c && tops.delete(key)) equal.push(near);
        }
      }
      const {rr, cc, rc} = derive(response, side, [r, c]);
      if ((rr * cc - rc * rc) * (RIDGE + 1) ** 2 > RIDGE * (rr + cc) ** 2) peaks.push([r, c]);
    }
    return peaks;
  }

  function refinePeak(response, side, peak) {
    const {down, across, rr, cc, rc} = derive(response, side, peak), determinant = rr * cc - rc * rc;
    const step = [-(cc * down - rc * across) / determinant, -(rr * across - rc * down) / determinant];
    return peak.map((place, i) => place + clip(step[i], -0.75, 0.75));
  }

  /* Width of a blob, where its response is largest, and that response. */
  function bestWidth(sigmas, responses) {
    const count = sigmas.length, best = responses.indexOf(Math.max(...responses));
    if (count === 1) return [sigmas[0], responses[0]];
    const middle = clip(best, 1, count - 2), [below, here, above] = responses.slice(middle - 1, middle + 2);
    const curvature = below - 2 * here + above;
    const step = curvature < 0 && best === middle ? (below - above) / (2 * curvature) : 0;
    return [sigmas[best] * (sigmas[1] / sigmas[0]) ** step, responses[best] + step * (above - below) / 4];
  }

  /* The atomic columns of an estimate, as `find_columns` finds them if it is given no options. */
  function findColumns(image, side) {
    const size = image.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const floor = Math.max(0.1 * Math.abs(quantile(image, 0.5)), 1e-6 * size);
    const ladder = new Ladder(image, side), middle = ladder.sigmas.length >> 1;
    const response = ladder.image(middle), polarity = response.reduce((sum, x) => sum + x * x * x, 0) >= 0 ? 1 : -1;
    for (let i = 0; i < response.length; i++) response[i] *= polarity;
    const peaks = findPeaks(response, side, ladder.sigmas[middle], floor / 2);
    const positions = peaks.map(peak => refinePeak(response, side, peak)), responses = ladder.at(positions);
    const blobs = positions.map((_, i) => bestWidth(ladder.sigmas, responses.map(line => polarity * line[i])));
    const strong = blobs.length ? quantile(blobs.map(blob => blob[1]), 0.9) : 0;
    const keep = blobs.map(blob => blob[1] >= Math.max(0.25 * strong, floor / 2));
    const some = list => list.filter((_, i) => keep[i]);
    return {
      polarity, positions: some(positions), radii: some(blobs).map(blob => Math.SQRT2 * blob[0]),
      amplitudes: some(blobs).map(blob => 2 * polarity * blob[1]),
    };
  }

  // --- what an image would show without a column

  /* Why no column can be told with pixels of a side [angstrom]; "" if it can. */
  function refusePixel(pixel) {
    return pixel >= FINEST && pixel <= COARSEST ? "" : `The side of a pixel must be ${FINEST} to ${COARSEST} angstrom for a `
      + `column to be judged; got ${pixel} (0.0622 angstrom is 0.00622 nm).`;
  }

  /* The surroundings of places, in bins of the eraser, one patch after another. */
  function cutPatches(image, side, positions, pixel) {
    const size = Math.max(1, rint(BIN / pixel)), before = size >> 1;
    const inside = i => clip(i, 0, side - 1), lines = new Float64Array(side * side), smooth = new Float64Array(side * side);
    for (let r = 0; r < side; r++) for (let k = 0; k < size; k++) {
      const from = inside(r - before + k) * side;
      for (let c = 0; c < side; c++) lines[r * side + c] += image[from + c] / size;
    }
    for (let r = 0; r < side; r++) for (let c = 0; c < side; c++) {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += lines[r * side + inside(c - before + k)];
      smooth[r * side + c] = sum / size;
    }
    const patches = new Float32Array(positions.length * SIDE * SIDE), off = size % 2 ? 0 : 0.5;
    positions.forEach((place, which) => {
      const at = Array.from({length: 2 * SIDE}, (_, i) =>
        inside(place[i < SIDE ? 0 : 1] + off + (i % SIDE - (SIDE - 1) / 2) * BIN / pixel));
      for (let i = 0; i < SIDE; i++) for (let j = 0; j < SIDE; j++)
        patches[(which * SIDE + i) * SIDE + j] = between(smooth, side, at[i], at[SIDE + j]);
    });
    return patches;
  }

  /* Read between four pixels. */
  function between(image, side, row, column, from = 0) {
    const r = Math.floor(row), c = Math.floor(column), down = row - r, across = column - c;
    const near = (i, j) => image[from + Math.min(r + i, side - 1) * side + Math.min(c + j, side - 1)];
    return (1 - down) * ((1 - across) * near(0, 0) + across * near(0, 1))
      + down * ((1 - across) * near(1, 0) + across * near(1, 1));
  }

  /* Pixels of the disc of every column: [index of the pixel, row, column]. */
  function listDiscs(positions, radius, side) {
    const reach = Math.ceil(radius) + 1;
    return positions.map(place => {
      const nearest = place.map(rint), disc = [];
      for (let i = -reach; i <= reach; i++) for (let j = -reach; j <= reach; j++) {
        const r = nearest[0] + i, c = nearest[1] + j;
        if (r < 0 || c < 0 || r >= side || c >= side) continue;
        if ((r - place[0]) ** 2 + (c - place[1]) ** 2 <= radius * radius || (!i && !j)) disc.push([r * side + c, r, c]);
      }
      return disc;
    });
  }

  /* Expected counts in each disc without its column, and what they may still hold of it. */
  function eraseColumns(image, side, positions, pixel, patches, erased, doubts) {
    const area = SIDE * SIDE, changes = new Float32Array(patches.length);
    for (let i = 0; i < patches.length; i++) changes[i] = patches[i] - erased[i];
    const discs = listDiscs(positions, REACH / pixel, side);
    const means = discs.map((disc, which) => {
      let sum = 0;
      for (let i = 0; i < area; i++) sum += patches[which * area + i];
      const least = Math.max(1e-3 * sum / area, 1e-12), place = positions[which];
      return Float64Array.from(disc, ([index, ...at]) => {
        const [row, column] = at.map((x, axis) => (x - place[axis]) * pixel / BIN + (SIDE - 1) / 2);
        return Math.max(image[index] - Math.fround(between(changes, SIDE, row, column, which * area)), least);
      });
    });
    return {discs, means, doubts: positions.map((_, i) => [doubts[2 * i], Math.max(doubts[2 * i + 1], DOUBT)])};
  }

  // --- the exact laws of scores

  const turns = Float64Array.from({length: GRID}, (_, k) => Math.cos(2 * Math.PI * k / GRID));
  const bits = Math.log2(GRID);
  const mirrored = Uint16Array.from({length: GRID}, (_, i) => {
    let out = 0;
    for (let b = 0; b < bits; b++) out |= (i >> b & 1) << (bits - 1 - b);
    return out;
  });

  /* Fourier transform in place. */
  function transform(real, imaginary) {
    for (let i = 0; i < GRID; i++) if (mirrored[i] > i) {
      [real[i], real[mirrored[i]]] = [real[mirrored[i]], real[i]];
      [imaginary[i], imaginary[mirrored[i]]] = [imaginary[mirrored[i]], imaginary[i]];
    }
    for (let size = 2; size <= GRID; size *= 2) {
      const half = size / 2, step = GRID / size;
      for (let k = 0; k < half; k++) {
        const cos = turns[k * step], sin = -turns[(k * step + 3 * GRID / 4) % GRID];
        for (let i = k; i < GRID; i += size) {
          const j = i + half, a = real[j] * cos - imaginary[j] * sin, b = real[j] * sin + imaginary[j] * cos;
          real[j] = real[i] - a; imaginary[j] = imaginary[i] - b;
          real[i] += a; imaginary[i] += b;
        }
      }
    }
  }

  const modulo = x => ((x % GRID) + GRID) % GRID;

  /* Probability of each rounded score or a greater one, from `first` on. */
  function survive(weights, rates, first, blur) {
    const real = new Float64Array(GRID), imaginary = new Float64Array(GRID);
    for (let i = 0; i < weights.length; i++) real[modulo(weights[i])] += rates[i];
    transform(real, imaginary);
    const whole = real[0];
    for (let k = 0; k <= GRID / 2; k++) {
      const size = Math.exp(real[k] - whole - (blur * k * 2 * Math.PI / GRID) ** 2 / 2), angle = imaginary[k];
      real[k] = size * Math.cos(angle);
      imaginary[k] = size * Math.sin(angle);
      if (k && k < GRID / 2) { real[GRID - k] = real[k]; imaginary[GRID - k] = -imaginary[k]; }
    }
    imaginary[0] = imaginary[GRID / 2] = 0;
    transform(real, imaginary);  // the law is real, so that its inverse is the same backwards
    const tails = new Float64Array(GRID + 1);
    for (let i = GRID - 1; i >= 0; i--) tails[i] = tails[i + 1] + real[modulo(-(first + i))] / GRID;
    return tails;
  }

  /* The laws of one column's score, without it and with the part `occupancy` of it. */
  class Law {
    constructor(claimed, bare, [median, scale], occupancy) {
      const low = clip(median, -0.5, 0.95), sum = (rates, power) =>
        rates.reduce((total, rate, i) => total + rate * this.exact[i] ** power, 0);
      const there = claimed.map((x, i) => Math.max(x, RAISED * bare[i]));
      this.bare = bare;
      this.there = there;
      this.empty = bare.map((z, i) => Math.max(z + low * (there[i] - z), RAISED * z));
      this.full = bare.map((z, i) => Math.max(z + occupancy * (there[i] - z), 0));
      this.exact = there.map((x, i) => Math.log(x / this.empty[i]));
      const added = there.map((x, i) => x - bare[i]);
      this.excess = added.reduce((a, b) => a + b, 0);
      this.moments = [this.empty, this.full].map(rates => [1, 2, 3].map(power => sum(rates, power)));
      const [[without, narrow], [within, wide]] = this.moments;
      this.gap = within - without;
      this.blur = scale * Math.max(sum(added, 1), 0);
      const largest = this.exact.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
      const skew = -Math.log(LEAST) * largest / 3, variance = Math.max(narrow + this.blur ** 2, wide);
      const far = skew + Math.sqrt(skew ** 2 - 2 * Math.log(LEAST) * variance);
      this.silent = largest < 1e-9;
      this.apart = this.gap > 2 * far;
      this.step = this.silent ? 1 : (Math.min(Math.abs(this.gap), 2 * far) + 2 * far) / GRID;
      this.coarse = !this.silent && this.step > COARSE * largest;
      this.weights = this.exact.map(w => rint(w / this.step));
      this.first = rint((Math.min(without, within) - far) / this.step);
    }

    score(counts, weights = this.weights) {
      return weights.reduce((sum, w, i) => sum + w * counts[i], 0);
    }

    /* The standard score, its skewness taken out. */
    standard(counts, claimed) {
      const [mean, plain, cube] = this.moments[claimed ? 1 : 0];
      const square = plain + (claimed ? 0 : this.blur ** 2), width = Math.sqrt(square > 0 ? square : 1);
      const skew = cube / width ** 3, far = 3 / Math.max(Math.abs(skew), 1e-9);
      const score = clip((this.score(counts, this.exact) - mean) / width, -far, far);
      return score - skew * (score ** 2 - 1) / 6;
    }

    /* Probability of the score, or a greater one, without the column. */
    presence(counts) {
      if (this.silent) return 1;
      if (this.coarse) return clip(normalTail(this.standard(counts, false)), LEAST, 1);
      const tails = survive(this.weights, this.empty, this.first, this.blur / this.step);
      return clip(tails[clip(this.score(counts) - this.first, 0, GRID)], LEAST, 1);
    }

    /* Probability of the score, or a smaller one, with the column. */
    absence(counts) {
      if (this.silent) return 1;
      if (this.coarse) return clip(normalTail(-this.standard(counts, true)), LEAST, 1);
      const score = this.score(counts);
      if (this.apart) {
        const mean = this.score(this.full), wide = Math.sqrt(this.full.reduce((s, r, i) => s + r * this.weights[i] ** 2, 0));
        return clip(normalTail(-(score - mean) / (wide > 0 ? wide : 1)), LEAST, 1);
      }
      if (score < this.first) return LEAST;
      const tails = survive(this.weights, this.full, this.first, 0);
      return clip(1 - tails[clip(score - this.first + 1, 0, GRID)], LEAST, 1);
    }

    /* Which part of the claim is there, and the standard deviation. */
    amplitude(counts) {
      const claimed = this.score(this.there) - this.score(this.bare), size = claimed > 0 ? claimed : Infinity;
      const noise = Math.sqrt(this.there.reduce((sum, x, i) => sum + this.weights[i] ** 2 * x, 0));
      return [(this.score(counts) - this.score(this.bare)) / size, noise / size];
    }
  }

  /* Test the claims of one part on the other electrons, `share` of all: one claim for each column. */
  function askCounts(rest, estimate, columns, erased, share) {
    return columns.positions.map((position, which) => {
      const disc = erased.discs[which], bare = erased.means[which].map(x => share * x);
      const claimed = Float64Array.from(disc, ([index]) => share * estimate[index]);
      const counts = disc.map(([index]) => rest[index]), doubts = erased.doubts[which];
      const here = new Law(claimed, bare, doubts, 1), half = new Law(claimed, bare, doubts, WEAK);
      const excess = here.excess / share, wrong = columns.polarity * excess <= 0;
      const [amplitude, error] = here.amplitude(counts), gap = here.silent || wrong ? 0 : Math.max(here.gap, 0);
      return {
        position, excess, amplitude, error, doubt: gap > 0 ? here.blur / gap : 0,
        presence: wrong ? 1 : here.presence(counts), absence: wrong ? 1 : half.absence(counts),
      };
    });
  }

  // --- many deals together

  /* Benjamini and Hochberg's rule. */
  function selectClaims(values, level) {
    const number = values.length, order = values.map((_, i) => i).sort((i, j) => values[i] - values[j]);
    let least = Infinity;
    const chosen = new Array(number).fill(false);
    for (let k = number; k > 0; k--) {
      least = Math.min(least, values[order[k - 1]] * (number / k));
      chosen[order[k - 1]] = Math.min(least, 1) <= level;
    }
    return chosen;
  }

  /* Index of the place nearest to a position within reach, or -1. */
  function nearest(places, [row, column], reach) {
    let best = -1, least = reach;
    places.forEach(([r, c], i) => {
      const apart = Math.hypot(r - row, c - column);
      if (apart <= least && (best < 0 || apart < least)) [best, least] = [i, apart];
    });
    return best;
  }

  /* What all deals say of each place; `claims` are a list for each part that was denoised. */
  function tallyClaims(places, claims, {reach, level, share}) {
    const where = claims.map(list => list.map(claim => nearest(places, claim.position, reach)));
    const strict = STRICT * level, number = places.length, deals = claims.length;
    const select = name => {
      const evidence = new Float64Array(number), selected = new Float64Array(number);
      claims.forEach((list, k) => {
        const chosen = selectClaims(list.map(claim => claim[name]), strict);
        const some = Math.max(chosen.filter(Boolean).length, 1);
        where[k].forEach((place, i) => {
          if (!chosen[i] || place < 0) return;
          evidence[place] += 1 / (strict * some * deals);
          selected[place] += 1 / deals;
        });
      });
      const ranked = sorted(evidence).reverse();
      let enough = 0;
      for (let k = 1; k <= number; k++) if (ranked[k - 1] * k >= 1 / level) enough = k;
      return {selected, chosen: Array.from(evidence, e => enough > 0 && e >= 1 / (level * enough))};
    };
    // of two claims at one place the later stands
    const rows = places.map((_, place) => claims.map((list, k) => list[where[k].lastIndexOf(place)]));
    const here = select("presence"), away = select("absence");
    return places.map((position, i) => {
      const some = rows[i].filter(Boolean);
      const mean = value => some.reduce((sum, claim) => sum + value(claim), 0) / Math.max(some.length, 1);
      const twice = name => Math.min(2 * quantile(rows[i].map(claim => claim ? claim[name] : 1), 0.5), 1);
      const electrons = mean(claim => claim.excess * claim.amplitude);
      const noise = mean(claim => (claim.excess * claim.error) ** 2) * share;
      const width = NORMAL * Math.sqrt(noise + mean(claim => claim.excess * claim.doubt) ** 2);
      return {
        position, supported: here.chosen[i], ruledOut: away.chosen[i] && !here.chosen[i],
        selected: here.selected[i], electrons, width, present: twice("presence"), absent: twice("absence"),
      };
    });
  }

  // --- all of it

  /* Deal single electrons to so many parts. */
  function deal(counts, parts, next) {
    const hands = Array.from({length: parts}, () => new Float32Array(counts.length));
    for (let i = 0; i < counts.length; i++)
      for (let k = 0; k < counts[i]; k++) hands[Math.floor(parts * next())][i]++;
    return hands;
  }

  /* Verdicts on the columns of `denoised`. `denoise` makes an estimate of counts, `erase` {erased, doubts}
     of patches; `told` is called after each part, and may throw to end it. */
  async function judgeColumns({counts, denoised, side, pixel, denoise, erase, told, seed, parts = 4, deals = 5, level = 0.05}) {
    const places = findColumns(denoised, side).positions, claims = [], next = chance(seed);
    for (let round = 0; round < deals; round++) for (const hand of deal(counts, parts, next)) {
      const estimate = Float64Array.from(await denoise(hand), x => x * parts), columns = findColumns(estimate, side);
      const patches = cutPatches(estimate, side, columns.positions, pixel);
      const {erased, doubts} = await erase(patches);
      const without = eraseColumns(estimate, side, columns.positions, pixel, patches, erased, doubts);
      const rest = counts.map((count, i) => count - hand[i]);
      claims.push(askCounts(rest, estimate, columns, without, 1 - 1 / parts));
      await told(claims.length, parts * deals);
    }
    return tallyClaims(places, claims, {reach: REACH / pixel, level, share: 1 - 1 / parts});
  }

  const judge = {
    Law, REACH, SIDE, askCounts, chance, cutPatches, deal, eraseColumns, findColumns, judgeColumns, nearest, normalTail,
    quantile, refusePixel, rint, selectClaims, tallyClaims,
  };
  if (typeof module === "object") module.exports = judge;
  else globalThis.sbdJudge = judge;
})();
