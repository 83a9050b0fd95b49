/* The page that denoises in the browser: see book/live.md and sbd/companion/make/live.py.
   Nothing is loaded before a button is pressed, and nothing ever leaves the page. Files come as
   scripts that hold base64, because a page that was opened from a disk may load nothing else. */
"use strict";
(() => {
  const $ = name => document.getElementById("live-" + name);
  const about = JSON.parse($("about").textContent);
  const BINS = about.bins, OWN = about.binning, COUNTS_PER_BIN = OWN * OWN;
  const state = {};  // what is shown: counts, denoised, clean, sides, pixel, bins, dose, verdicts or a refusal
  const base = new URL("_static/live/", document.baseURI).href;

  // --- words

  function say(text, wrong = false) {
    $("status").classList.toggle("wrong", wrong);
    $("status").textContent = text;
  }

  class Refusal extends Error {}

  const painted = () => new Promise(done => setTimeout(done, 30));

  // --- files

  function addScript(name) {
    return new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = base + name;
      script.onload = done;
      script.onerror = () => failed(new Refusal(`The file ${name} of this page is missing.`));
      document.head.append(script);
    });
  }

  async function loadBytes(name) {
    await addScript(name + ".js");
    const text = window.sbdLive[name];
    delete window.sbdLive[name];
    let bytes;
    if (Uint8Array.fromBase64) bytes = Uint8Array.fromBase64(text);
    else {
      const letters = atob(text);
      bytes = new Uint8Array(letters.length);
      for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
    }
    if (!name.endsWith(".gz")) return bytes;
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // --- counts

  /* Uniform numbers in [0, 1), the same everywhere for a seed: Mulberry32. */
  function uniform(seed) {
    let a = seed >>> 0;
    return () => {
      a = (a + 0x6D2B79F5) >>> 0;
      let t = Math.imul(a ^ (a >>> 15), 1 | a);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  /* Poisson counts by multiplying uniform numbers; means stay far below 700. */
  function drawPoisson(means, seed) {
    const next = uniform(seed), counts = new Float32Array(means.length);
    for (let i = 0; i < means.length; i++) {
      const limit = Math.exp(-means[i]);
      let product = next(), k = 0;
      while (product > limit) { product *= next(); k++; }
      counts[i] = k;
    }
    return counts;
  }

  // --- bins

  /* How many pixels make a bin, as `sbd.denoisers.choose_bins` tells for square pixels. */
  function chooseBins(pixel) {
    if (!(pixel >= about.finest && pixel < Infinity))
      throw new Refusal(`The side of a pixel must be at least ${about.finest} angstrom; got `
        + `${pixel} (were these nanometres? then multiply by ten).`);
    const low = OWN * about.trained_pixel[0], high = OWN * about.trained_pixel[1];
    const most = Math.floor(about.slack * high / pixel) + 1;
    let best = null;
    for (let n = 1; n <= most; n++) {
      const beyond = Math.max(low / (n * pixel), n * pixel / high, 1);
      const centre = Math.abs(Math.log(n * pixel / Math.sqrt(low * high)));
      const rank = [Math.round(beyond * 1e9) / 1e9, centre];
      if (!best || rank[0] < best.rank[0] || (rank[0] === best.rank[0] && rank[1] < best.rank[1]))
        best = {n, beyond, rank};
    }
    if (best.beyond > about.slack)
      throw new Refusal(`A whole number of pixels must make a bin of ${low.toFixed(2)} to `
        + `${high.toFixed(2)} angstrom; pixels of ${pixel} angstrom are too coarse for this network.`);
    return best;
  }

  /* Means of bins of n x n pixels, times the dose that makes a bin hold what was counted in it. */
  function bin(counts, side, n) {
    const small = side / n, out = new Float32Array(small * small);
    for (let r = 0; r < side; r++) for (let c = 0; c < side; c++)
      out[Math.floor(r / n) * small + Math.floor(c / n)] += counts[r * side + c];
    for (let i = 0; i < out.length; i++) out[i] /= COUNTS_PER_BIN;
    return out;
  }

  const tables = new Map();
  /* The matrix that interpolates a mirrored line by its cosine series: (fine, coarse). */
  function cosines(coarse, fine) {
    const key = `${coarse} ${fine}`;
    if (tables.has(key)) return tables.get(key);
    const table = new Float32Array(fine * coarse);
    const ofFine = Float64Array.from({length: 4 * fine}, (_, j) => Math.cos(Math.PI * j / (2 * fine)));
    const ofCoarse = Float64Array.from({length: 4 * coarse}, (_, j) => Math.cos(Math.PI * j / (2 * coarse)));
    for (let f = 0; f < fine; f++) for (let c = 0; c < coarse; c++) {
      let sum = 1;
      for (let k = 1; k < coarse; k++)
        sum += 2 * ofFine[k * (2 * f + 1) % (4 * fine)] * ofCoarse[k * (2 * c + 1) % (4 * coarse)];
      table[f * coarse + c] = sum / coarse;
    }
    tables.set(key, table);
    return table;
  }

  function upsample(image, coarse, fine, scale) {
    const table = cosines(coarse, fine);
    const half = new Float64Array(fine * coarse), out = new Float32Array(fine * fine);
    for (let f = 0; f < fine; f++) for (let r = 0; r < coarse; r++) {
      const weight = table[f * coarse + r];
      for (let c = 0; c < coarse; c++) half[f * coarse + c] += weight * image[r * coarse + c];
    }
    for (let f = 0; f < fine; f++) for (let g = 0; g < fine; g++) {
      let sum = 0;
      for (let c = 0; c < coarse; c++) sum += half[f * coarse + c] * table[g * coarse + c];
      out[f * fine + g] = sum * scale;
    }
    return out;
  }

  // --- the network

  const network = {};

  async function loadNetwork() {
    const files = about.files, sizes = about.sizes;
    const total = files.reduce((sum, name) => sum + sizes[name], 0);
    const bytes = {};
    let have = 0;
    for (const name of files) {
      say(`Loading: ${(have / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB`);
      bytes[name] = await loadBytes(name);
      have += sizes[name];
    }
    say("Starting the runtime");
    await addScript("ort.wasm.min.js");
    await addScript("judge.js");
    await addScript("counts.js");
    const settings = window.ort.env.wasm;
    settings.numThreads = 1;
    settings.wasmBinary = bytes["ort-wasm-simd-threaded.wasm.gz"].buffer;
    const loader = new Blob([bytes["ort-wasm-simd-threaded.mjs"]], {type: "text/javascript"});
    settings.wasmPaths = {mjs: URL.createObjectURL(loader)};
    network.weights = [about.weights.file, about.eraser.file].map(path => ({path, data: bytes[path]}));
    network.graphs = {estimate: bytes["estimate.onnx.gz"], row: bytes["row.onnx.gz"], erase: bytes["erase.onnx.gz"]};
    readScenes(bytes["scenes.bin.gz"]);
    network.reference = bytes["reference.bin.gz"];
    await session("estimate");
  }

  async function session(name) {
    if (!network[name]) {
      network[name] = await window.ort.InferenceSession.create(network.graphs[name], {
        executionProviders: ["wasm"],
        externalData: network.weights.slice(...(name === "erase" ? [1] : [0, 1])),
      });
      delete network.graphs[name];
    }
    return network[name];
  }

  const tensor = data => new window.ort.Tensor("float32", data, [1, 1, BINS, BINS]);

  async function estimate(counts, n) {
    const binned = bin(counts, BINS * n, n);
    const run = await (await session("estimate")).run({binned: tensor(binned)});
    const denoised = upsample(run.denoised.data, BINS, BINS * n, COUNTS_PER_BIN / (n * n));
    return {denoised, binned};
  }

  /* Weights of all bins' pixels in one denoised pixel, exactly: the Jacobian's row. */
  async function findRow(binned, n, [row, column]) {
    const table = cosines(BINS, BINS * n), cotangent = new Float32Array(BINS * BINS);
    for (let r = 0; r < BINS; r++) for (let c = 0; c < BINS; c++)
      cotangent[r * BINS + c] = table[row * BINS + r] * table[column * BINS + c];
    const run = await (await session("row")).run({binned: tensor(binned), cotangent: tensor(cotangent)});
    return run.row.data.map(weight => weight / (n * n));
  }

  /* Patches without the column in their middle, and what they may still hold of it. */
  async function erase(patches) {
    const most = about.eraser.patches, area = window.sbdJudge.SIDE ** 2, number = patches.length / area;
    const erased = new Float32Array(patches.length), doubts = new Float32Array(2 * number);
    for (let i = 0; i < number; i += most) {
      const some = new Float32Array(most * area).fill(1), here = patches.subarray(i * area, (i + most) * area);
      some.set(here);
      const given = new window.ort.Tensor("float32", some, [most, 1, window.sbdJudge.SIDE, window.sbdJudge.SIDE]);
      const run = await (await session("erase")).run({patches: given});
      erased.set(run.erased.data.subarray(0, here.length), i * area);
      doubts.set(run.doubt.data.subarray(0, 2 * here.length / area), 2 * i);
    }
    return {erased, doubts};
  }

  // --- the check against Python

  async function compareWithPython() {
    const {sides: side, pixel, largest} = about.reference, n = side / BINS;
    const buffer = network.reference.buffer;
    const counts = Float32Array.from(new Uint8Array(buffer, 0, side * side));
    const python = new Float32Array(buffer, side * side, side * side);
    const row = new Float32Array(buffer, 5 * side * side, BINS * BINS);
    const {denoised, binned} = await estimate(counts, n);
    network.difference = {image: farthest(denoised, python)};
    showBadge();
    say("Preparing filters");
    await painted();
    network.difference.filter = farthest(await findRow(binned, n, pixel), row) / largest;
    showBadge();
    delete network.reference;
  }

  function farthest(ours, theirs) {
    let most = 0;
    for (let i = 0; i < theirs.length; i++) most = Math.max(most, Math.abs(ours[i] - theirs[i]));
    return most;
  }

  function showBadge() {
    const {image, filter} = network.difference;
    const within = image <= about.tolerance && !(filter > about.tolerance);
    $("badge").textContent = `${image.toExponential(1)} electrons per pixel`
      + (filter === undefined ? "" : `, ${filter.toExponential(1)} of a filter's largest weight`)
      + (within ? "" : ` (more than ${about.tolerance})`);
    $("badge").dataset.image = image;
    $("badge").dataset.filter = filter ?? "";
  }

  // --- images

  function readScenes(bytes) {
    const side = BINS * OWN, all = new Uint16Array(bytes.buffer);
    about.scenes.forEach((scene, i) => {
      const part = all.subarray(i * side * side, (i + 1) * side * side);
      scene.clean = Float32Array.from(part, value => value / about.levels);
    });
  }

  const readDose = () => Number(Math.pow(10, Number($("dose").value)).toPrecision(2));

  function readSeed() {
    const seed = Number($("seed").value);
    if (!Number.isInteger(seed) || seed < 0 || seed > 4294967295)
      throw new Refusal(`The seed must be a whole number from 0 to 4294967295; got ${$("seed").value}.`);
    return seed;
  }

  async function showScene() {
    if (!network.estimate) return;
    const scene = about.scenes[Number($("scene").value)], dose = readDose(), seed = readSeed();
    const clean = scene.clean.map(value => value * dose / about.vacuum);
    await show({
      counts: drawPoisson(clean, seed), clean, dose, n: OWN, pixel: scene.pixel,
      name: `${scene.name}, ${dose} electrons per pixel, seed ${seed}`,
    });
  }

  async function show(what) {
    busy(true);
    say("Denoising");
    await painted();
    const start = performance.now();
    const {denoised, binned} = await estimate(what.counts, what.n);
    const seconds = (performance.now() - start) / 1000;
    Object.assign(state, {clean: null, row: null, warning: "", refusal: "", verdicts: null}, what,
      {denoised, binned, side: BINS * what.n});
    $("time").textContent = `${seconds.toFixed(2)} s`;
    $("time").dataset.seconds = seconds;
    const score = state.clean && [psnr(denoised), psnr(state.counts)];
    $("psnr").textContent = score ? `${score[0].toFixed(1)} dB (the counts: ${score[1].toFixed(1)} dB)`
      : "not known, no truth";
    $("psnr").dataset.psnr = score ? score[0] : "";
    for (const name of ["row", "column"]) {
      $(name).max = state.side - 1;
      if (Number($(name).value) >= state.side) $(name).value = state.side >> 1;
    }
    draw();
    showVerdicts();
    for (const name of ["facts", "panels", "bars", "point", "judging"]) $(name).hidden = false;
    $("clean-panel").hidden = !state.clean;
    busy(false);
    say(`${what.name}: denoised in ${seconds.toFixed(2)} s. ${state.warning}`);
  }

  /* With the peak at 1 at the paper's dose, as everywhere in this book. */
  function psnr(image) {
    let sum = 0;
    for (let i = 0; i < image.length; i++) sum += (image[i] - state.clean[i]) ** 2;
    const scale = about.vacuum / state.dose;
    return -10 * Math.log10(sum / image.length * scale * scale);
  }

  async function showFilter() {
    const at = [Number($("row").value), Number($("column").value)];
    if (!at.every(x => Number.isInteger(x) && x >= 0 && x < state.side))
      throw new Refusal(`Row and column must be whole numbers from 0 to ${state.side - 1}; got ${at}.`);
    busy(true);
    say("Finding the filter");
    await painted();
    const start = performance.now();
    const row = await findRow(state.binned, state.n, at);
    const seconds = (performance.now() - start) / 1000;
    Object.assign(state, {row, at});
    const {side, n} = state, value = state.denoised[at[0] * side + at[1]];
    let explained = 0;
    for (let i = 0; i < BINS * BINS; i++) explained += row[i] * state.binned[i] * COUNTS_PER_BIN;
    const half = reach(0.5), most = reach(0.95);
    draw();
    busy(false);
    $("filter-word").textContent = `The filter of pixel (${at}): its weights times the counts add up to `
      + `${explained.toFixed(5)} electrons, and the denoised pixel is ${value.toFixed(5)}. Half of the `
      + `squared weight is within ${half.toFixed(1)} \u00C5, 95 % within ${most.toFixed(1)} \u00C5.`;
    $("filter").dataset.seconds = seconds;
    $("filter").dataset.bias = value - explained;
    say(`Filter of pixel (${at}) in ${seconds.toFixed(2)} s. ${showVerdict(at)}`);
  }

  // --- which columns to believe

  const KINDS = ["supported", "undecided", "ruled out"];
  const kindOf = verdict => verdict.supported ? KINDS[0] : verdict.ruledOut ? KINDS[2] : KINDS[1];

  /* Why there are no verdicts on what is shown; "" if there may be. */
  function refuseCounts() {
    const {counts, denoised, side, pixel} = state, {refuse, checkIndependence} = window.sbdCounts;
    return window.sbdJudge.refusePixel(pixel) || refuse(counts, side) || checkIndependence(counts, denoised, side);
  }

  async function judge() {
    const seed = readSeed();
    Object.assign(state, {verdicts: null, refusal: "", stop: false});
    busy(true);
    showVerdicts();
    $("judge").disabled = true;
    say("Checking the counts");
    await painted();
    const start = performance.now();
    try {
      state.refusal = refuseCounts();
      if (state.refusal) return say("Not judged: the counts fail a check, which is named below the button.", true);
      for (const name of ["stop", "progress"]) $(name).hidden = false;
      $("progress").value = 0;
      say("Judging: the electrons are dealt out, and each part is denoised.");
      await painted();
      state.verdicts = await window.sbdJudge.judgeColumns({
        counts: state.counts, denoised: state.denoised, side: state.side, pixel: state.pixel, seed,
        parts: PARTS, deals: DEALS, level: LEVEL, erase,
        denoise: async part => (await estimate(part, state.n)).denoised,
        told: async done => {
          $("progress").value = done;
          $("progress-word").textContent = `${done} of ${PARTS * DEALS} parts`;
          await painted();
          if (state.stop) throw new Refusal("stopped");
        },
      });
    } catch (error) {
      if (!state.stop) throw error;
    } finally {
      for (const name of ["stop", "progress"]) $(name).hidden = true;
      $("progress-word").textContent = "";
      showVerdicts();
      busy(false);
    }
    if (!state.verdicts) return say("Stopped: no column was judged.");
    const seconds = (performance.now() - start) / 1000;
    $("judged").dataset.seconds = seconds;
    draw();
    say(`Judged in ${seconds.toFixed(1)} s: ${$("judged").textContent}`);
  }

  const LABEL = $("denoised").getAttribute("aria-label");
  const DEALS = 5, PARTS = 4, LEVEL = 0.05;  // as `sbd judge` has them

  function showVerdicts() {
    const verdicts = state.verdicts;
    $("judge").disabled = false;
    $("judge-not").textContent = state.refusal && `No verdicts. ${state.refusal}`;
    $("judged").hidden = $("legend").hidden = !verdicts;
    $("denoised-word").textContent = `Denoised; click a pixel for its filter${verdicts ? " and the verdict on its column" : ""}`;
    $("verdict").textContent = verdicts ? "Click a ring, or move the mark to it, for what the counts say of that column." : "";
    const counts = KINDS.map(kind => (verdicts ?? []).filter(verdict => kindOf(verdict) === kind).length);
    const told = (verdicts ?? []).map(verdict => [...verdict.position, kindOf(verdict), verdict.electrons, verdict.width, verdict.selected]);
    Object.assign($("judged").dataset, {verdicts: JSON.stringify(told), seconds: ""});
    $("denoised").setAttribute("aria-label", LABEL);
    if (!verdicts) return;
    const total = verdicts.length === 1 ? "1 column" : `${verdicts.length} columns`;
    $("judged").textContent = `${total}: ${KINDS.map((kind, i) => `${counts[i]} ${kind}`).join(", ")}.`;
    $("denoised").setAttribute("aria-label", `Denoised image. ${$("judged").textContent} Arrow keys move the mark, `
      + "Enter shows the filter of that pixel and the verdict on its column.");
  }

  /* What the counts say of the column at a pixel, in words. */
  function tellVerdict([row, column]) {
    if (!state.verdicts) return "";
    const places = state.verdicts.map(verdict => verdict.position);
    const which = window.sbdJudge.nearest(places, [row, column], window.sbdJudge.REACH / state.pixel);
    if (which < 0) return `No column was found within ${window.sbdJudge.REACH} \u00C5 of pixel (${row},${column}).`;
    const verdict = state.verdicts[which], kind = kindOf(verdict), [r, c] = verdict.position;
    return `The column at row ${r.toFixed(1)}, column ${c.toFixed(1)} is ${kind}: its disc counts `
      + `${verdict.electrons.toFixed(1)} \u00B1 ${verdict.width.toFixed(1)} electrons more than without it (95 %), and `
      + `${Math.round(100 * verdict.selected)} % of the ${PARTS * DEALS} parts select it as there.`;
  }

  /* Show what is said of the column at a pixel, if anything is; give it back. */
  function showVerdict(at) {
    const told = tellVerdict(at);
    if (told) $("verdict").textContent = told;
    return told;
  }

  /* Deals of other electrons are for a reader's own file what other counts are for a simulated image. */
  async function showSeed() {
    if (state.clean || !network.estimate) return showScene();
    const seed = readSeed();
    state.verdicts = null;
    draw();
    showVerdicts();
    say(`Seed ${seed}, of the next verdicts: which electrons are dealt to which part.`);
  }

  /* A solid ring, a dashed one, or a cross; dark around it. */
  function drawVerdict(context, verdict) {
    const scale = 512 / state.side, radius = 0.8 * window.sbdJudge.REACH / state.pixel * scale;
    const [y, x] = verdict.position.map(place => (place + 0.5) * scale), kind = kindOf(verdict);
    context.save();
    for (const edge of [true, false]) {
      context.lineWidth = (kind === "undecided" ? 2 : 3.5) + (edge ? 3 : 0);
      context.strokeStyle = edge ? "#20242a" : {supported: "#49b0ff", undecided: "#fff", "ruled out": "#ff4433"}[kind];
      context.setLineDash(kind === "undecided" ? [5, 6] : []);
      context.beginPath();
      if (kind === "ruled out") for (const way of [1, -1]) {
        context.moveTo(x - 0.7 * radius, y - 0.7 * way * radius);
        context.lineTo(x + 0.7 * radius, y + 0.7 * way * radius);
      } else context.arc(x, y, radius, 0, 2 * Math.PI);
      context.stroke();
    }
    context.restore();
  }

  /* Radius of the disc that holds a share of the squared weight [angstrom]. */
  function reach(share) {
    const {side, n, row, at, pixel} = state, rings = new Map();
    let total = 0;
    for (let r = 0; r < side; r++) for (let c = 0; c < side; c++) {
      const weight = row[Math.floor(r / n) * BINS + Math.floor(c / n)] ** 2;
      const key = (r - at[0]) ** 2 + (c - at[1]) ** 2;
      rings.set(key, (rings.get(key) ?? 0) + weight);
      total += weight;
    }
    let held = 0;
    for (const key of [...rings.keys()].sort((a, b) => a - b)) {
      held += rings.get(key);
      if (held >= share * total * (1 - 1e-12)) return Math.sqrt(key) * pixel;
    }
    return NaN;
  }

  // --- drawing

  function paint(name, values, side, colour, marks) {
    const canvas = $(name), small = document.createElement("canvas");
    small.width = small.height = side;
    const pixels = new ImageData(side, side);
    for (let i = 0; i < side * side; i++) {
      pixels.data.set(colour(values[i]), 4 * i);
      pixels.data[4 * i + 3] = 255;
    }
    small.getContext("2d").putImageData(pixels, 0, 0);
    canvas.width = canvas.height = 512;
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, 512, 512);
    drawBar(context);
    if (name === "denoised") (state.verdicts ?? []).forEach(verdict => drawVerdict(context, verdict));
    if (marks && state.at) drawMark(context, state.at);
  }

  function drawBar(context) {
    const field = state.side * state.pixel / 10;  // nm
    const length = [0.1, 0.2, 0.5, 1, 2, 5].filter(x => x < 0.4 * field).pop();
    const width = 512 * length / field, label = `${length} nm`;
    context.font = "bold 26px sans-serif";
    context.lineWidth = 6;
    context.strokeStyle = "#000";
    context.fillStyle = "#fff";
    context.strokeText(label, 18, 474);
    context.fillText(label, 18, 474);
    context.fillRect(16, 484, width + 4, 14);
    context.fillStyle = "#000";
    context.fillRect(18, 486, width, 10);
    context.fillStyle = "#fff";
    context.fillRect(20, 488, width - 4, 6);
  }

  function drawMark(context, [row, column]) {
    const at = [(column + 0.5) * 512 / state.side, (row + 0.5) * 512 / state.side];
    for (const [width, style] of [[5, "#000"], [2.5, "#ffb000"]]) {
      context.lineWidth = width;
      context.strokeStyle = style;
      context.beginPath();
      context.arc(...at, 11, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  function draw() {
    let high = 0;
    for (const value of state.denoised) high = Math.max(high, value);
    const grey = value => { const g = Math.round(255 * Math.min(1, Math.max(0, value / high))); return [g, g, g]; };
    paint("noisy", state.counts, state.side, grey);
    paint("denoised", state.denoised, state.side, grey, true);
    if (state.clean) paint("clean", state.clean, state.side, grey);
    const area = state.pixel * state.pixel, mean = state.dose ?? average(state.counts);
    $("noisy-word").textContent = `Counts: ${mean.toPrecision(3)} electrons per pixel, `
      + `${(mean / area).toPrecision(3)} per \u00C5\u00B2${state.dose ? " in vacuum" : " on average"}`;
    $("noisy").setAttribute("aria-label", `Noisy image. ${$("noisy-word").textContent}`);
    fillBar("grey", grey, [0, high]);
    $("grey-word").textContent = `0 to ${high.toPrecision(2)} electrons per pixel, in all images; more is white`;
    const marked = Boolean(state.row);
    $("filter").parentElement.hidden = $("colour").parentElement.hidden = !marked;
    if (!marked) return;
    let most = 0;
    for (const weight of state.row) most = Math.max(most, Math.abs(weight));
    const colour = weight => {
      const t = Math.max(-1, Math.min(1, weight / most)), end = t < 0 ? [33, 102, 172] : [178, 24, 43];
      return end.map(x => Math.round(247 + Math.abs(t) * (x - 247)));
    };
    paint("filter", state.row, BINS, colour, true);
    fillBar("colour", colour, [-most, most]);
    $("colour-word").textContent = `weights, \u2212${most.toPrecision(2)} to ${most.toPrecision(2)}`;
  }

  function fillBar(name, colour, [low, high]) {
    const context = $(name).getContext("2d"), pixels = new ImageData(256, 12);
    for (let i = 0; i < 256 * 12; i++) {
      pixels.data.set(colour(low + (high - low) * (i % 256) / 255), 4 * i);
      pixels.data[4 * i + 3] = 255;
    }
    context.putImageData(pixels, 0, 0);
  }

  const average = values => values.reduce((sum, value) => sum + value, 0) / values.length;

  // --- files of the reader's own

  const READERS = {
    u1: ["getUint8", 1], i1: ["getInt8", 1], b1: ["getUint8", 1], u2: ["getUint16", 2],
    i2: ["getInt16", 2], u4: ["getUint32", 4], i4: ["getInt32", 4], u8: ["getBigUint64", 8],
    i8: ["getBigInt64", 8], f4: ["getFloat32", 4], f8: ["getFloat64", 8],
  };

  function takeNumbers(view, offset, number, kind, little) {
    const [name, size] = READERS[kind];
    if (offset + number * size > view.byteLength)
      throw new Refusal("The file ends before its image does.");
    const values = new Float32Array(number);
    for (let i = 0; i < number; i++) values[i] = Number(view[name](offset + i * size, little));
    return values;
  }

  function checkShape(shape) {
    if (!shape.every(side => Number.isInteger(side) && side > 0))
      throw new Refusal(`The image must have rows and columns; got ${shape.join(" x ")} of them.`);
  }

  function readNpy(buffer) {
    const view = new DataView(buffer), letters = new TextDecoder("latin1");
    const long = view.getUint8(6) > 1, length = long ? view.getUint32(8, true) : view.getUint16(8, true);
    const start = long ? 12 : 10, header = letters.decode(new Uint8Array(buffer, start, length));
    const [, order, kind] = /'descr': '([<>|=])(\w\d)'/.exec(header) ?? [];
    const shape = (/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? "").split(",").map(x => x.trim())
      .filter(Boolean).map(Number);
    if (!READERS[kind]) throw new Refusal("The .npy file must hold plain numbers of 1 to 8 bytes.");
    if (shape.length !== 2)
      throw new Refusal(`The .npy file must hold one image (height, width); got shape (${shape.join(", ")}).`);
    checkShape(shape);
    const values = takeNumbers(view, start + length, shape[0] * shape[1], kind, order !== ">");
    if (!/'fortran_order': True/.test(header)) return {values, shape};
    const turned = new Float32Array(values.length);
    for (let r = 0; r < shape[0]; r++) for (let c = 0; c < shape[1]; c++)
      turned[r * shape[1] + c] = values[c * shape[0] + r];
    return {values: turned, shape};
  }

  function readTif(buffer) {
    const view = new DataView(buffer), little = view.getUint16(0) === 0x4949;
    const u2 = at => view.getUint16(at, little), u4 = at => view.getUint32(at, little);
    if (u2(2) !== 42) throw new Refusal("The .tif file is a BigTIFF or none at all; save it as a plain one.");
    const first = u4(4), tags = new Map();
    for (let i = 0; i < u2(first); i++) {
      const at = first + 2 + 12 * i, kind = u2(at + 2), number = u4(at + 4);
      const size = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8}[kind];
      if (!size) continue;
      const from = size * number > 4 ? u4(at + 8) : at + 8;
      const read = j => ({1: () => view.getUint8(from + j), 2: () => view.getUint8(from + j),
        3: () => u2(from + 2 * j), 4: () => u4(from + 4 * j),
        5: () => u4(from + 8 * j) / u4(from + 8 * j + 4)})[kind]();
      tags.set(u2(at), Array.from({length: number}, (_, j) => read(j)));
    }
    const one = (tag, otherwise) => tags.get(tag)?.[0] ?? otherwise;
    const words = (tags.get(270) ?? []).map(code => String.fromCharCode(code)).join("");
    const refuse = word => { throw new Refusal(`The .tif file ${word}`); };
    if (one(259, 1) !== 1) refuse("is compressed; save it without compression.");
    if (tags.has(322) || !tags.has(273)) refuse("is in tiles; save it in strips.");
    if (one(277, 1) !== 1 || one(262, 1) > 1) refuse("is in colours; save it in grey levels.");
    if (u4(first + 2 + 12 * u2(first)) || /^images=([2-9]|1\d)/m.test(words))
      refuse("holds several images; save their sum, or one of them.");
    const kind = "?uif"[one(339, 1)] + one(258, 1) / 8;
    if (!READERS[kind]) refuse(`holds numbers of an unknown kind (${one(258, 1)} bits).`);
    const shape = [one(257, 0), one(256, 0)];
    checkShape(shape);
    if (shape[0] * shape[1] > view.byteLength) refuse("ends before its image does.");
    const values = new Float32Array(shape[0] * shape[1]), rows = Math.min(one(278, shape[0]), shape[0]);
    if (tags.get(273).length !== Math.ceil(shape[0] / rows)) refuse("does not hold all rows of its image.");
    tags.get(273).forEach((offset, i) => {
      const here = Math.min(rows, shape[0] - i * rows) * shape[1];
      values.set(takeNumbers(view, offset, here, kind, little), i * rows * shape[1]);
    });
    if (one(262, 1) === 0) refuse("has white for zero; save it with black for zero.");
    const pixel = tifPixel(one(282), one(296, 2), words), longer = one(282) / one(283);
    if (pixel && Math.abs(longer - 1) > 1e-3)
      refuse(`has pixels ${longer} times as high as wide; this page takes square ones (sbd denoise takes any).`);
    return {values, shape, pixel};
  }

  /* The side of a pixel that a .tif tells [angstrom], or null. */
  function tifPixel(perUnit, unit, words) {
    const named = /^unit=(.+)$/m.exec(words)?.[1].trim();
    const lengths = {nm: 10, nanometer: 10, nanometers: 10, A: 1, angstrom: 1, "\\u00C5": 1, "\u00C5": 1,
      micron: 1e4, um: 1e4, "\\u00B5m": 1e4, "\u00B5m": 1e4, pm: 0.01};
    const length = named ? lengths[named] : unit === 3 ? 1e8 : undefined;
    const pixel = length && perUnit ? length / perUnit : 0;
    return pixel >= 0.01 && pixel < 1 ? pixel : null;
  }

  async function takeFile(file) {
    const buffer = await file.arrayBuffer(), start = new DataView(buffer);
    if (buffer.byteLength < 16) throw new Refusal(`${file.name} is no image.`);
    const magic = start.getUint32(0);
    const read = magic === 0x934E554D ? readNpy : [0x4949, 0x4D4D].includes(magic >>> 16) ? readTif : null;
    if (!read) throw new Refusal(`${file.name} must be a .npy or .tif file.`);
    try { state.own = {name: file.name, ...read(buffer)}; } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new Refusal(`${file.name} is damaged: it ends before its image does.`);
    }
    $("own").hidden = false;
    for (const [name, i] of [["top", 0], ["left", 1]]) $(name).value = 0;
    $("pixel").value = state.own.pixel ? Number(state.own.pixel.toPrecision(6)) : "";
    if (state.own.pixel) return showOwn(true);
    say(`${file.name}, ${state.own.shape.join(" x ")} pixels: what is the side of a pixel, in angstrom?`);
    $("pixel").focus();
  }

  async function showOwn(middle) {
    const {values, shape, name} = state.own, pixel = Number($("pixel").value);
    const {n, beyond} = chooseBins(pixel), side = BINS * n;
    if (Math.min(...shape) < side)
      throw new Refusal(`With pixels of ${pixel} angstrom this page takes ${side} x ${side} of them; `
        + `got ${shape.join(" x ")} (sbd denoise takes any number).`);
    if (middle) {
      $("top").value = (shape[0] - side) >> 1;
      $("left").value = (shape[1] - side) >> 1;
    }
    const corner = ["top", "left"].map(key => Number($(key).value));
    if (!corner.every((x, i) => Number.isInteger(x) && x >= 0 && x + side <= shape[i]))
      throw new Refusal(`The area of ${side} x ${side} pixels must lie in the image; first row and `
        + `column must be at most ${shape[0] - side} and ${shape[1] - side}.`);
    const counts = new Float32Array(side * side);
    for (let r = 0; r < side; r++) {
      const from = (corner[0] + r) * shape[1] + corner[1];
      counts.set(values.subarray(from, from + side), r * side);
    }
    let least = Infinity, whole = true;
    for (const value of counts) {
      if (!Number.isFinite(value)) throw new Refusal(`${name} holds values that are not finite there.`);
      if (value < 0) throw new Refusal(`${name} holds negative values there; counted electrons are 0 or more.`);
      least = Math.min(least, value);
      whole &&= Number.isInteger(value);
    }
    const share = n * n / COUNTS_PER_BIN, mean = average(counts);
    if (mean === 0) throw new Refusal(`${name} holds no electrons there.`);
    const words = [];
    if (mean * share > 12 || least > mean / 2)
      words.push("This does not look like 0.1 to 10 counted electrons per pixel: take off the "
        + "detector's offset and divide by its gain.");
    if (!whole) words.push("Its values are no whole numbers: were these counted electrons?");
    if (beyond > 1 + 1e-9) words.push(`Bins of ${(n * pixel).toFixed(2)} \u00C5 are outside of what the network learnt from.`);
    await show({counts, n, pixel, dose: null, warning: words.join(" "),
      name: `${name}, rows ${corner[0]} to ${corner[0] + side - 1}, columns ${corner[1]} to ${corner[1] + side - 1}`});
  }

  // --- saving

  function save(values, name) {
    const {side} = state;
    let header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${side}, ${side}), }`;
    header = header.padEnd(117) + "\n";  // with the ten bytes before it, a multiple of 64
    const start = new Uint8Array([0x93, ...[..."NUMPY"].map(x => x.charCodeAt(0)), 1, 0, header.length & 255, header.length >> 8]);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([start, header, values.buffer]));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // --- what the reader does

  function busy(yes) {
    $("fields").disabled = yes;
    $("show").disabled = yes;
    document.getElementById("live").setAttribute("aria-busy", yes);
  }

  let queue = Promise.resolve();
  /* One thing after another; what goes wrong is said. */
  function then(work) {
    queue = queue.then(work).catch(error => {
      busy(false);
      say(error instanceof Refusal ? error.message : `This went wrong: ${error.message ?? error}`, true);
    });
    return queue;
  }

  function lacking() {
    if (typeof WebAssembly !== "object") return "WebAssembly";
    if (typeof DecompressionStream !== "function") return "DecompressionStream (browsers since 2023 have it)";
    const simd = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
    if (!WebAssembly.validate(new Uint8Array(simd))) return "WebAssembly SIMD";
    return "";
  }

  function start() {
    $("controls").hidden = false;
    const missing = lacking();
    if (missing) {
      $("load").disabled = true;
      return say(`This browser lacks ${missing}, which the network needs here; `
        + "`sbd denoise` does the same without a browser.", true);
    }
    const total = about.files.reduce((sum, name) => sum + about.sizes[name], 0);
    $("size").textContent = `${(total / 1e6).toFixed(0)} MB, from this site alone; nothing leaves the page`;
    about.scenes.forEach((scene, i) => $("scene").add(new Option(scene.name, i)));
    const tell = () => {
      const area = about.scenes[Number($("scene").value)].pixel ** 2;
      $("dose-word").textContent = `${readDose()} electrons per pixel, ${(readDose() / area).toPrecision(3)} per \u00C5\u00B2`;
    };
    tell();
    $("dose").addEventListener("input", tell);
    for (const name of ["scene", "dose"]) $(name).addEventListener("change", () => { tell(); then(showScene); });
    $("seed").addEventListener("change", () => then(showSeed));
    $("again").addEventListener("click", () => {
      $("seed").value = (Number($("seed").value) + 1) % 4294967296;
      then(showScene);
    });
    $("load").addEventListener("click", () => {
      $("load").disabled = true;
      then(async () => {
        try { await loadNetwork(); } catch (error) { $("load").disabled = false; throw error; }
        $("load").parentElement.hidden = true;
        const still = document.querySelector(".live-still");
        if (still) still.hidden = true;
        await showScene();
        await compareWithPython();
        await showFilter();
        document.getElementById("live").setAttribute("data-ready", "yes");
      });
    });
    $("file").addEventListener("change", () => { if ($("file").files[0]) then(() => takeFile($("file").files[0])); });
    $("own-go").addEventListener("click", () => then(() => showOwn(false)));
    $("drop").addEventListener("dragover", event => { event.preventDefault(); $("drop").classList.add("over"); });
    $("drop").addEventListener("dragleave", () => $("drop").classList.remove("over"));
    $("drop").addEventListener("drop", event => {
      event.preventDefault();
      $("drop").classList.remove("over");
      if (network.estimate && event.dataTransfer.files[0]) then(() => takeFile(event.dataTransfer.files[0]));
    });
    $("point").addEventListener("submit", event => { event.preventDefault(); then(showFilter); });
    const canvas = $("denoised");
    canvas.addEventListener("click", event => {
      const box = canvas.getBoundingClientRect(), inside = x => Math.min(state.side - 1, Math.max(0, x));
      $("row").value = inside(Math.floor(state.side * (event.clientY - box.top) / box.height));
      $("column").value = inside(Math.floor(state.side * (event.clientX - box.left) / box.width));
      then(showFilter);
    });
    canvas.addEventListener("keydown", event => {
      const step = {ArrowUp: ["row", -1], ArrowDown: ["row", 1], ArrowLeft: ["column", -1], ArrowRight: ["column", 1]}[event.key];
      if (event.key === "Enter" || event.key === " ") then(showFilter);
      else if (step) {
        const [name, by] = step, to = Number($(name).value) + by * (event.shiftKey ? 1 : state.n);
        $(name).value = Math.min(state.side - 1, Math.max(0, to));
        state.at = [Number($("row").value), Number($("column").value)];
        state.row = null;
        draw();
        const value = state.denoised[state.at[0] * state.side + state.at[1]];
        say(`Row ${state.at[0]}, column ${state.at[1]}: ${value.toFixed(3)} electrons. ${showVerdict(state.at)}`);
      } else return;
      event.preventDefault();
    });
    $("judge").addEventListener("click", () => then(judge));
    $("stop").addEventListener("click", () => { state.stop = true; $("stop").hidden = true; });
    $("save-counts").addEventListener("click", () => save(state.counts, "counts.npy"));
    $("save-denoised").addEventListener("click", () => save(state.denoised, "denoised.npy"));
  }

  start();
})();
