// Colours: phases as in the paper, ramps for one number, series for experts and features; and a set of each that every
// kind of colour vision tells apart (those of phasegrid.pictures).

const GAP = [222, 226, 232];  // a cell without a model

const PALETTES = {
  paper: {
    phases: [[0, 0, 255], [255, 0, 0]],  // alone, superposed
    ramp: ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"],
    signed: ["#053061", "#2f79b5", "#92c5de", "#f7f7f7", "#f4a582", "#c43b3c", "#67001f"],
    series: ["#1f77b4", "#e8710a", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#d65fb2", "#6f6f6f"],
  },
  safe: {
    phases: [[0, 114, 178], [213, 94, 0]],
    ramp: ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"],
    signed: ["#2d004b", "#6c519b", "#b2abd2", "#f7f7f6", "#fdb863", "#c0670d", "#7f3b08"],
    series: ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#b8aa00", "#000000"],
  },
};

const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const stops = (colours) => colours.map((colour, i) => [i / (colours.length - 1), colour]);

// Between the colours of a ramp, for a share in 0..1.
const onRamp = (colours, share) => {
  const at = Math.min(Math.max(share, 0), 1) * (colours.length - 1), low = Math.min(Math.floor(at), colours.length - 2);
  const from = rgb(colours[low]), to = rgb(colours[low + 1]);
  return from.map((value, c) => Math.round(value + (at - low) * (to[c] - value)));
};

// Relative norm y and score x in 0..1: white for y = 0, else between the two phases. The formula of the authors.
const phaseColour = (y, x, [alone, superposed]) =>
  alone.map((value, c) => Math.round((1 - y) * 255 + y * ((1 - x) * value + x * superposed[c])));

const palette = (state) => PALETTES[state.safe ? "safe" : "paper"];
const seriesColour = (state, at) => {
  const { series } = palette(state);
  return series[at % series.length];
};
// One colour a feature: told apart where they are few, else along a ramp.
const featureColour = (state, i, n) => n <= 8 ? seriesColour(state, i) :
  `rgb(${onRamp(palette(state).ramp.slice(0, -1), i / (n - 1)).join(",")})`;
