// Results files, unpacked from the page: settings, and arrays of every cell.

const TYPES = { f4: Float32Array, i4: Int32Array };

// The arrays of each kind of loss: of the kept model, of every restart, and of those at the snapshots.
const LOSSES = {
  reconstruction: { kept: "reconstruction_losses", every: "all_reconstruction_losses", snapshots: "snapshot_reconstruction_losses" },
  training: { kept: "final_losses", every: "all_losses", snapshots: "snapshot_losses" },
};

// "0.1", "1.2e-5": at most four digits.
const short = (value) => value === null || value === undefined ? "own" : Number.isNaN(value) ? "–" :
  Math.abs(value) >= 1e-4 && Math.abs(value) < 1e6 || value === 0 ? String(Number(value.toPrecision(4))) :
  value.toExponential(1).replace("e+", "e");
const COUNTS = { n_hidden: "hidden units", n_experts: "experts", top_k: "top k" };
const words = (name) => COUNTS[name] ?? name.replaceAll("_", " ");

class Results {
  constructor(header, at) {
    Object.assign(this, { at, name: header.name, title: header.title, dimensions: header.dimensions, config: header.config });
    const { E, n, m, k = 0, T = 0 } = header.extents;
    Object.assign(this, { E, n, m, restarts: k, layout: header.arrays });  // E and m: of the largest model
    // Numbers of each part of a model's parameters.
    this.sizes = Object.fromEntries(Object.entries(header.parts).map(([part, letters]) =>
      [part, [...letters].reduce((size, letter) => size * header.extents[letter], 1)]));
    this.extents = this.dimensions.map((dimension) => dimension.values.length);
    this.cells = this.extents.reduce((a, b) => a * b, 1);
    this.snapshots = T;
    this.arrays = null;
    this.shape = { E, n, m, topK: this.config.model?.top_k ?? 1 };
    this.shapes = this.dimensions.some(({ name }) => name in COUNTS) ? new Map() : null;
  }

  // What the block of base64 text holds, once; a promise.
  load() {
    this.loading ??= this.unpack();
    return this.loading;
  }
  async unpack() {
    const element = document.getElementById(`block-${this.at}`);
    const packed = Uint8Array.from(atob(element.textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bytes = await new Response(stream).arrayBuffer();
    element.remove();  // its text is large
    const arrays = {};
    for (const [key, { type, offset, length }] of Object.entries(this.layout)) {
      arrays[key] = new TYPES[type](bytes, offset, length);
    }
    this.arrays = arrays;
    return this;
  }

  has(key) { return key in this.layout; }
  get hasSnapshots() { return this.has("snapshot_steps") && this.has("snapshot_losses"); }
  // Kinds of loss of which the file has all that it has of training losses; the first is shown first.
  get lossKinds() {
    const whole = ["kept", "every", "snapshots"].every((of) => !this.has(LOSSES.training[of]) || this.has(LOSSES.reconstruction[of]));
    return whole ? ["reconstruction", "training"] : ["training"];
  }

  dimension(name) { return this.dimensions.find((dimension) => dimension.name === name); }
  length(name) { return this.dimension(name)?.values.length ?? 1; }

  // Index along an axis of the value nearest to one; 0 where the axis is missing.
  nearest(name, value) {
    const values = this.dimension(name)?.values ?? [null];
    let best = 0;
    values.forEach((candidate, i) => {
      if (Math.abs(candidate - value) < Math.abs(values[best] - value)) best = i;
    });
    return best;
  }
  // Settings by name -> the cell nearest to them; `fixed` gives indices along some axes.
  cellOf(settings, fixed = {}) {
    let cell = 0;
    this.dimensions.forEach(({ name }, d) => {
      cell = cell * this.extents[d] + (fixed[name] ?? this.nearest(name, settings[name]));
    });
    return cell;
  }
  // The settings of a cell, by name.
  settingsOf(cell) {
    const settings = [];
    for (let d = this.dimensions.length - 1; d >= 0; --d) {
      settings.unshift([this.dimensions[d].name, this.dimensions[d].values[cell % this.extents[d]]]);
      cell = Math.floor(cell / this.extents[d]);
    }
    return Object.fromEntries(settings);
  }

  // The shape {E, n, m, topK} of a cell's model, where axes change it smaller than there is room for in the arrays.
  shapeOf(cell) {
    if (!this.shapes) return this.shape;
    if (!this.shapes.has(cell)) {
      const { n_experts: E, n_hidden: m, top_k: topK } = { n_experts: this.E, n_hidden: this.m, top_k: this.shape.topK,
        ...this.settingsOf(cell) };
      this.shapes.set(cell, { E, n: this.n, m, topK });
    }
    return this.shapes.get(cell);
  }
  // Whether there are such models.
  exists(cell) {
    const { E, topK } = this.shapeOf(cell);
    return topK <= E;
  }

  // The index of the last snapshot taken by a step; null for the end of training (step null, or no snapshots).
  snapshotAt(step) {
    if (step === null || !this.hasSnapshots) return null;
    let at = 0;
    this.arrays.snapshot_steps.forEach((taken, t) => { if (taken <= step) at = t; });
    return at;
  }

  part(key, cell, snapshot) {
    if (!this.has(key)) return null;
    const size = this.sizes[key];
    if (snapshot === null) return this.arrays[key].subarray(cell * size, (cell + 1) * size);
    const shots = this.arrays[`snapshot_${key}`], at = cell * this.snapshots + snapshot;
    return shots ? shots.subarray(at * size, (at + 1) * size) : null;
  }
  // Of the kept model, of its own E and m: W [E][n][m], G [E][n], b [E][n]; NaN where none was kept, null where the file
  // has none.
  weights(cell, snapshot = null) {
    return this.ownRows(cell, 0, this.shapeOf(cell).E, snapshot);
  }
  expert(cell, e, snapshot = null) { return this.ownRows(cell, e, e + 1, snapshot); }
  // Rows of W, of m numbers, of the experts from .. to.
  ownRows(cell, from, to, snapshot) {
    const { n, m } = this.shapeOf(cell), size = n * this.m;
    const rows = this.part("expert_weights", cell, snapshot).subarray(from * size, to * size);
    return m === this.m ? rows :
      Float32Array.from({ length: (to - from) * n * m }, (_, at) => rows[Math.floor(at / m) * this.m + at % m]);
  }
  ofExperts(key, cell, snapshot) {
    const { E, n } = this.shapeOf(cell);
    return this.part(key, cell, snapshot)?.subarray(0, E * n) ?? null;
  }
  router(cell, snapshot = null) { return this.ofExperts("router_weights", cell, snapshot); }
  biases(cell, snapshot = null) { return this.ofExperts("biases", cell, snapshot); }

  // The kept restart; -1 where none was, or where the file does not say.
  kept(cell) { return this.has("kept") ? this.arrays.kept[cell] : -1; }
  // The loss of the kept model; NaN where the file has none of that kind.
  loss(cell, snapshot = null, kind = this.lossKinds[0]) {
    const { kept: final, snapshots } = LOSSES[kind];
    if (snapshot === null) return this.has(final) ? this.arrays[final][cell] : NaN;
    const kept = this.kept(cell);
    return kept < 0 || !this.has(snapshots) ? NaN : this.arrays[snapshots][(cell * this.restarts + kept) * this.snapshots + snapshot];
  }
  // The losses of all restarts; NaN where not trained. These and all below are of the first kind that the file has, unless
  // asked for another.
  losses(cell, snapshot = null, kind = this.lossKinds[0]) {
    const { every, snapshots } = LOSSES[kind];
    if (!this.has(every)) return [this.loss(cell)];
    return Array.from({ length: this.restarts }, (_, k) => snapshot === null ?
      this.arrays[every][cell * this.restarts + k] :
      this.arrays[snapshots][(cell * this.restarts + k) * this.snapshots + snapshot]);
  }
  // The losses of one restart at every snapshot.
  history(cell, restart) {
    const at = cell * this.restarts + restart;
    return this.arrays[LOSSES[this.lossKinds[0]].snapshots].subarray(at * this.snapshots, (at + 1) * this.snapshots);
  }
  // "reconstruction loss"
  get lossWords() { return `${this.lossKinds[0]} loss`; }
  // Whether the cell holds a model.
  trained(cell, snapshot = null) {
    return Number.isFinite(this.loss(cell, snapshot, "training")) && this.exists(cell) &&
      Number.isFinite(this.part("expert_weights", cell, snapshot)[0]);
  }
  // Why a cell holds none.
  reason(cell) {
    if (!this.exists(cell)) return "top_k above n_experts";
    if (!this.has("status")) return "not trained";
    const status = Array.from(this.arrays.status.subarray(cell * this.restarts, (cell + 1) * this.restarts));
    if (status.some((value) => value < 0)) return "not trained yet";
    return `no restart trained to the end: their losses stopped being finite from step ${Math.min(...status)} on`;
  }
  // How many steps a cell was trained for; null where the file does not say.
  steps(cell) { return this.settingsOf(cell).steps ?? this.config.train?.steps ?? null; }
  // Sparsity of each feature in a cell; null where the file does not say.
  sparsities(cell) {
    const own = this.config.data?.sparsity;
    const value = this.settingsOf(cell).sparsity;
    if (value !== null && Number.isFinite(value)) return Array(this.n).fill(value);
    return Array.isArray(own) ? own : null;
  }
}
