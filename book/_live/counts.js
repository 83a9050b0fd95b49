/* Whether an image holds independent Poisson counts, or why not: what sbd/evidence/counts.py tells, for a
   square image. Arithmetic alone; judge.js comes before it. tests/test_live_counts.py holds it against Python. */
"use strict";
(() => {
  const {quantile, rint} = typeof module === "object" ? require("./judge.js") : globalThis.sbdJudge;
  // as in Python, which says what they are
  const LEAST = 1e-12, FEW = 4, CONTRAST = 1.5, WIDE = 0.3, RING = 2, STEADY = 60, SEEN = 100, DARK = 0.2, BLOCK = 32;
  const SIDES = [1, 2], ORDERS = [4, 8], SMOOTH = 2, LAGS = [[0, 0], [0, 1], [1, 0], [1, 1], [1, -1]];
  const SURE = 5, OVER = 0.03, UNDER = 0.1, JOINT = 0.02;
  const DIRECTIONS = ["rows", "columns", "diagonals", "antidiagonals", "rows and columns"];

  const total = values => values.reduce((sum, x) => sum + x, 0);
  const largest = values => values.reduce((most, x) => Math.max(most, x), 0);
  const brief = (x, digits) => String(Number(x.toPrecision(digits)));

  // --- tails of Poisson and binomial counts: one probability by its deviance, as C. Loader computes it ("Fast
  // and accurate computation of binomial probabilities", 2000), and a series from there

  /* What log(n!) is above Stirling's formula, for whole n > 0. */
  function beyondStirling(n) {
    if (n > 15) {
      const s = n * n;
      return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / s) / s) / s) / s) / n;
    }
    let product = 1;
    for (let k = 2; k <= n; k++) product *= k;
    return Math.log(product) - (n + 0.5) * Math.log(n) + n - Math.log(2 * Math.PI) / 2;
  }

  /* x log(x / mean) + mean - x, without the loss of digits where both are alike. */
  function deviance(x, mean) {
    const v = (x - mean) / (x + mean);
    if (Math.abs(v) > 0.1) return x * Math.log(x / mean) + mean - x;
    let sum = (x - mean) * v, power = 2 * x * v;
    for (let k = 3; k < 24; k += 2) { power *= v * v; sum += power / k; }
    return sum;
  }

  /* 1 + ratio(0) + ratio(0) ratio(1) + ... */
  function addRatios(ratio) {
    let sum = 1;
    for (let i = 0, term = ratio(0); term > 1e-17 * sum; term *= ratio(++i)) sum += term;
    return sum;
  }

  /* Probability of `least` or more counts of a mean. */
  function poissonTail(least, mean) {
    if (least <= 0) return 1;
    if (mean === 0) return 0;
    const one = k => k ? Math.exp(-beyondStirling(k) - deviance(k, mean)) / Math.sqrt(2 * Math.PI * k) : Math.exp(-mean);
    if (least > mean) return one(least) * addRatios(i => mean / (least + 1 + i));
    return 1 - one(least - 1) * addRatios(i => (least - 1 - i) / mean);
  }

  /* Probability that `least` or more of a number are in a share. */
  function binomialTail(least, number, share) {
    if (least <= 0) return 1;
    const rest = 1 - share, odds = share / rest;
    const one = k => {
      if (k === 0) return Math.exp(number * Math.log1p(-share));
      if (k === number) return Math.exp(number * Math.log(share));
      const apart = deviance(k, number * share) + deviance(number - k, number * rest);
      const beyond = beyondStirling(number) - beyondStirling(k) - beyondStirling(number - k);
      return Math.exp(beyond - apart) * Math.sqrt(number / (2 * Math.PI * k * (number - k)));
    };
    if (least > number * share) return one(least) * addRatios(i => odds * (number - least - i) / (least + 1 + i));
    return 1 - one(least - 1) * addRatios(i => (least - 1 - i) / (number - least + 2 + i) / odds);
  }

  // --- filters

  /* Beyond the border an image goes on as its mirror image; the outermost pixels stand once. */
  function mirror(i, side) {
    const at = Math.abs(i) % (2 * side - 2);
    return at < side ? at : 2 * side - 2 - at;
  }

  /* Sums over the squares of `size` pixels, an odd number, around each pixel. */
  function addAround(image, side, size) {
    const sums = Float64Array.from(image), running = new Float64Array(side + size);
    for (const [step, line] of [[side, 1], [1, side]]) for (let k = 0; k < side; k++) {
      for (let i = 0; i < side + size - 1; i++)
        running[i + 1] = running[i] + sums[k * line + mirror(i - (size >> 1), side) * step];
      for (let i = 0; i < side; i++) sums[k * line + i * step] = running[i + size] - running[i];
    }
    return sums;
  }

  /* Mean of the pixels around each, itself left out. */
  function meanAround(counts, side) {
    const area = (2 * RING + 1) ** 2;
    return addAround(counts, side, 2 * RING + 1).map((sum, i) => (sum - counts[i]) / (area - 1));
  }

  /* Convolve down and across; beyond the border goes on what is nearest. */
  function convolve(image, side, kernel) {
    const reach = kernel.length >> 1, line = new Float64Array(side + 2 * reach), out = Float64Array.from(image);
    for (const [step, next] of [[side, 1], [1, side]]) for (let k = 0; k < side; k++) {
      for (let i = 0; i < line.length; i++)
        line[i] = out[k * next + Math.min(Math.max(i - reach, 0), side - 1) * step];
      for (let i = 0; i < side; i++) {
        let sum = 0;
        for (let j = 0; j < kernel.length; j++) sum += kernel[j] * line[i + j];
        out[k * next + i * step] = sum;
      }
    }
    return out;
  }

  /* Take a binomial mean off again and again: a smooth image vanishes. */
  function highPass(image, side, order) {
    let passed = image;
    for (let k = 0; k < order; k++) {
      const mean = convolve(passed, side, [0.25, 0.5, 0.25]);
      passed = mean.map((x, i) => passed[i] - x);
    }
    return passed;
  }

  const bell = Array.from({length: 8 * SMOOTH + 1}, (_, i) => Math.exp(-(((i - 4 * SMOOTH) / SMOOTH) ** 2) / 2));
  const GAUSSIAN = bell.map(x => x / total(bell));

  function invert(matrix) {
    const n = matrix.length, rows = matrix.map((row, i) => [...row, ...row.map((_, k) => Number(i === k))]);
    for (let k = 0; k < n; k++) {
      const pivot = rows.slice(k).reduce((best, row) => Math.abs(row[k]) > Math.abs(best[k]) ? row : best);
      rows.splice(rows.indexOf(pivot), 1);
      rows.splice(k, 0, pivot.map(x => x / pivot[k]));
      rows.forEach((row, i) => { if (i !== k) rows[i] = row.map((x, j) => x - row[k] * rows[k][j]); });
    }
    return rows.map(row => row.slice(n));
  }

  const known = new Map();
  /* What the filter makes of the mean, how to undo it, and the sum of squares and the largest of its kernels. */
  function unmix(order) {
    if (known.has(order)) return known.get(order);
    const reach = order + 2, wide = 2 * reach + 1, middle = reach * wide + reach, point = new Float64Array(wide * wide);
    point[middle] = 1;
    const kernel = highPass(point, wide, order), steps = LAGS.map(([r, c]) => r * wide + c);
    const moved = steps.map(step => kernel.map((_, i) => ((kernel[i - step] ?? 0) + (kernel[i + step] ?? 0)) / 2));
    const weights = moved.map(image => image[middle]);
    // a lag and its opposite
    const inverse = invert(moved.map(image => steps.map((step, l) => (l ? 2 : 1) * image[middle + step])));
    inverse.push(inverse[1].map((x, l) => (x + inverse[2][l]) / 2));  // the two nearest together
    const kernels = inverse.map(row => kernel.map((_, i) => total(row.map((x, l) => x * moved[l][i]))));
    const filter = {
      weights, inverse, squares: kernels.map(image => total(image.map(x => x * x))),
      most: kernels.map(image => largest(image.map(Math.abs))),
    };
    known.set(order, filter);
    return filter;
  }

  // --- variances and covariances

  /* Call with the pixels whose statistics do not reach beyond the border. */
  function visitInner(side, order, visit) {
    for (let r = order + 1; r < side - order - 1; r++)
      for (let c = order + 1; c < side - order - 1; c++) visit(r * side + c);
  }

  /* Dispersion less 1, covariances at each other lag, and the mean of the two nearest, over the mean count. */
  function covariances(values, counts, side, order) {
    const {weights, inverse} = unmix(order), steps = LAGS.map(([r, c]) => r * side + c);
    const passed = highPass(values, side, order), smooth = convolve(values, side, GAUSSIAN);
    const sums = new Float64Array(LAGS.length);
    let electrons = 0;
    visitInner(side, order, i => {
      electrons += counts[i];
      const rough = (values[i] - smooth[i]) / 2;
      for (let l = 0; l < steps.length; l++) sums[l] += rough * (passed[i - steps[l]] + passed[i + steps[l]]);
    });
    return inverse.map(row => electrons ? total(row.map((x, l) => x * (sums[l] / electrons - weights[l]))) : 0);
  }

  /* Those of counts, or of what is left of them, whichever are nearer to 0. */
  function nearer(counts, left, side, order) {
    const found = covariances(counts, counts, side, order), rest = covariances(left, counts, side, order);
    return found.map((x, l) => x * rest[l] > 0 ? Math.sign(x) * Math.min(Math.abs(x), Math.abs(rest[l])) : 0);
  }

  /* How far from 0 each covariance of independent counts may lie. */
  function margins(counts, side, order) {
    const {squares, most} = unmix(order), around = meanAround(counts, side);
    let electrons = 0, products = 0;
    visitInner(side, order, i => { electrons += counts[i]; products += counts[i] * around[i]; });
    return squares.map((square, l) => {
      const pair = 2 * most[l] * SURE ** 2 / 6;
      return electrons ? (pair + Math.sqrt(pair ** 2 + SURE ** 2 * 2 * square * products)) / electrons : Infinity;
    });
  }

  /* What independent counts would not have, if anything. */
  function findFault(found, margin, size) {
    const over = found.map((x, l) => Math.max(x - Math.max(l ? JOINT : OVER, margin[l]), -x - Math.max(UNDER, margin[l])));
    const worst = over.indexOf(Math.max(...over)), measured = found[worst], width = margin[worst].toFixed(3);
    if (!(over[worst] > 0)) return "";
    const what = size === 1 ? "pixels" : `blocks of ${size} x ${size} pixels`;
    if (worst) return `The counts must be independent; neighbouring ${what} along ${DIRECTIONS[worst - 1]} have a covariance `
      + `of ${measured.toFixed(3)} times the mean, where electrons counted once have 0 \u00B1 ${width} (an electron counted in `
      + "several pixels, or interpolated frames: take the sum of frames as they were counted, or add pixels up until "
      + "neighbours are independent; sbd check tells more).";
    return `These must be Poisson counts; the variance of their ${what} is ${(1 + measured).toFixed(3)} times the mean, where `
      + `independent electrons have 1 \u00B1 ${width} (` + (measured > 0
        ? "electrons counted more than once, units that are no electrons, or pixels of unlike gain: count each electron once, "
          + "or divide by the units per electron, which sbd check tells; or columns of few pixels that the denoiser smooths away)."
        : "counts clipped, averaged, smoothed or interpolated: take the sum of frames as they were counted).");
  }

  function addBlocks(values, side, size) {
    const small = Math.floor(side / size), sums = new Float64Array(small * small);
    for (let r = 0; r < small * size; r++) for (let c = 0; c < small * size; c++)
      sums[Math.floor(r / size) * small + Math.floor(c / size)] += values[r * side + c];
    return sums;
  }

  /* Why counts are not independent: seen in them, and in what an estimate leaves of them. "" if they may be. */
  function checkIndependence(counts, estimate, side) {
    for (const size of SIDES) {
      const small = Math.floor(side / size), [y, x] = [counts, estimate].map(values => addBlocks(values, side, size));
      const left = y.map((value, i) => value - x[i]), margin = margins(y, small, ORDERS[0]);
      let seen = nearer(y, left, small, ORDERS[0]);
      if (!findFault(seen, margin, size)) continue;
      // of structure the second filter lets less than half as much pass
      const again = nearer(y, left, small, ORDERS[1]);
      seen = seen.map((value, l) => value && 2 * again[l] / value >= 1 ? value : 0);
      const fault = findFault(seen, margin, size);
      if (fault) return fault;
    }
    return "";
  }

  // --- single values

  function refuseParts(counts) {
    const odd = counts.find(value => !Number.isInteger(value));
    return odd === undefined ? "" : `The counts must be whole; got ${brief(odd, 6)} (in a sum over resampled or gain-corrected `
      + "frames the noise is not Poisson: take the sum of frames as they were counted).";
  }

  function refuseDivisor(counts) {
    const divisor = counts.reduce((a, b) => { while (b) [a, b] = [b, a % b]; return a; }, 0);
    return divisor > 1 ? `These must be electrons, one by one; all values are multiples of ${divisor} (divide them by `
      + `${divisor}; sbd check tells the units per electron).` : "";
  }

  /* How many pixels are to be expected above the largest count. */
  function expectLarger(counts, side) {
    const most = largest(counts), size = Math.max(9, Math.ceil(Math.sqrt(STEADY / (total(counts) / counts.length)))) | 1;
    return most ? total(addAround(counts, side, size).map(sum => poissonTail(most + 1, sum / size ** 2))) : 0;
  }

  function refuseClipping(counts, side) {
    const expected = expectLarger(counts, side);
    return expected > SEEN ? `The counts must not be clipped; the largest is ${largest(counts)}, where ${brief(expected, 3)} `
      + "pixels with more are to be expected (take the counts as they were before a limit, a mean of frames or an "
      + "interpolation)." : "";
  }

  /* Counts so large that no mean near those around gives them: place, the mean around it, and the probability. */
  function findHotPixels(counts, side) {
    const likely = meanAround(counts, side), others = (2 * RING + 1) ** 2 - 2, share = CONTRAST / (others + CONTRAST);
    const hot = [];
    likely.forEach((mean, at) => {
      const mine = counts[at], row = Math.floor(at / side), column = at % side, ring = [], beside = [];
      if (mine <= CONTRAST * mean + 3 * Math.sqrt(CONTRAST * mean) + 3) return;
      for (let i = -RING; i <= RING; i++) for (let j = -RING; j <= RING; j++) {
        if (!i && !j) continue;
        ring.push(counts[mirror(row + i, side) * side + mirror(column + j, side)]);
        if (Math.max(Math.abs(i), Math.abs(j)) === 1) beside.push(ring.at(-1));
      }
      // a second hot pixel beside it is no guide
      const rest = total(ring) - largest(ring), third = beside.sort((a, b) => b - a)[2];
      // given the sum of all, the share of one is binomial
      const chance = Math.max(binomialTail(mine, mine + rest, share), poissonTail(mine, third));
      if (chance < LEAST) hot.push({at, mean: rest / others, chance});
    });
    return hot;
  }

  function refuseHotPixels(counts, side) {
    const hot = findHotPixels(counts, side);
    if (!hot.length) return "";
    const mended = Float64Array.from(counts), order = ORDERS[ORDERS.length - 1];
    for (const {at, mean} of hot) mended[at] = rint(mean);
    // none is hot if all are too wide
    const [excess] = covariances(mended, mended, side, order), margin = Math.max(margins(mended, side, order)[0], WIDE);
    const fault = excess > 0 ? findFault([excess], [margin], 1) : "";
    if (fault) return fault;
    const first = hot.slice(0, FEW).map(({at}) => `${counts[at]} at (${Math.floor(at / side)}, ${at % side})`).join(", ");
    return `There must be no hot pixels; ${hot.length} of ${counts.length} hold more than those around allow: ${first}`
      + `${hot.length > FEW ? ", ..." : ""}, as (row, column) of this area (replace them by the median of those around; `
      + "sbd check lists all of the file).";
  }

  /* Middle of the means of those blocks that have electrons; 0 if none has. */
  function typicalMean(counts, side) {
    const number = Math.max(1, Math.floor(side / BLOCK)), edges = [0];
    for (let k = 0; k < number; k++) edges.push(edges[k] + Math.floor(side / number) + (k < side % number ? 1 : 0));
    const means = [];
    for (let i = 0; i < number; i++) for (let j = 0; j < number; j++) {
      let sum = 0;
      for (let r = edges[i]; r < edges[i + 1]; r++) for (let c = edges[j]; c < edges[j + 1]; c++) sum += counts[r * side + c];
      if (sum) means.push(sum / ((edges[i + 1] - edges[i]) * (edges[j + 1] - edges[j])));
    }
    return means.length ? quantile(means, 0.5) : 0;
  }

  /* The first window [row, column, height, width] so large that even dark structure would have electrons, and that
     has none; or null. What lies in such ones is what Python leaves out. */
  function findDark(counts, side) {
    const pixels = Math.max(16, Math.ceil(-Math.log(LEAST) / (DARK * typicalMean(counts, side)))), wide = side + 1;
    const above = new Float64Array(wide * wide);  // electrons above and left of each corner of a pixel
    for (let r = 0; r < side; r++) for (let c = 0, line = 0; c < side; c++) {
      line += counts[r * side + c];
      above[(r + 1) * wide + c + 1] = above[r * wide + c + 1] + line;
    }
    for (const stretch of [1 / pixels, 1 / 16, 1, 16, pixels]) {
      const [high, broad] = [0.5, -0.5].map(power => Math.max(1, rint(Math.sqrt(pixels) * stretch ** power)));
      for (let r = 0; r + high <= side; r++) for (let c = 0; c + broad <= side; c++) {
        const top = r * wide + c, bottom = top + high * wide;
        if (above[bottom + broad] - above[bottom] === above[top + broad] - above[top]) return [r, c, high, broad];
      }
    }
    return null;
  }

  function refuseDark(counts, side) {
    if (!largest(counts)) return "There must be electrons; got 0 everywhere.";
    const dark = findDark(counts, side);
    if (!dark) return "";
    const [r, c, high, broad] = dark;
    return `There must be dose all over; rows ${r} to ${r + high - 1}, columns ${c} to ${c + broad - 1} of this area hold no `
      + "electron (an aperture or a beam stop?): take another area, or sbd judge, which leaves such parts out.";
  }

  /* Why these are no counts of electrons, by single values and by parts without dose; "" if they may be. */
  function refuse(counts, side) {
    return refuseParts(counts) || refuseDivisor(counts) || refuseClipping(counts, side)
      || refuseHotPixels(counts, side) || refuseDark(counts, side);
  }

  const constants = {
    LEAST, FEW, CONTRAST, WIDE, RING, STEADY, SEEN, DARK, BLOCK, SIDES, ORDERS, SMOOTH, LAGS, SURE, OVER, UNDER, JOINT,
    DIRECTIONS,
  };
  const checks = {
    binomialTail, checkIndependence, constants, covariances, expectLarger, findDark, findHotPixels, margins, poissonTail,
    refuse, typicalMean, unmix,
  };
  if (typeof module === "object") module.exports = checks;
  else globalThis.sbdCounts = checks;
})();
