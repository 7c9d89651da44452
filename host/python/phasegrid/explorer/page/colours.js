// Colours: phases as in the paper, ramps for one number, series for experts and features; and a set of each that every
// kind of colour vision tells apart (those of phasegrid.pictures).

// Of letters, lines and paper; page.css takes them by the same names.
const THEMES = {
  light: { ink: "#1d2330", quiet: "#525b6b", frame: "#8a92a1", faint: "#d5d9e0", blank: "#f4f5f8", accent: "#1f5fbf",
    paper: "#ffffff", gap: [222, 226, 232] },
  dark: { ink: "#e6e9ee", quiet: "#aab2bf", frame: "#737c8b", faint: "#363d48", blank: "#1e232b", accent: "#86b4ff",
    paper: "#14181e", gap: [78, 84, 94] },
};
let INK, QUIET, FRAME, FAINT, PAPER, GAP;  // GAP: a cell without a model
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const themeOf = (state) => state.theme === "auto" ? (prefersDark.matches ? "dark" : "light") : state.theme;
const applyTheme = (state) => {
  const name = themeOf(state), root = document.documentElement, { gap, ...colours } = THEMES[name];
  root.dataset.theme = name;
  Object.entries(colours).forEach(([key, colour]) => root.style.setProperty(`--${key}`, colour));
  ({ ink: INK, quiet: QUIET, frame: FRAME, faint: FAINT, paper: PAPER } = colours);
  GAP = gap;
};

const PALETTES = {
  paper: {
    phases: [[0, 0, 255], [255, 0, 0]],  // alone, superposed
    ramp: ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"],
    signed: ["#053061", "#2f79b5", "#92c5de", "#f7f7f7", "#f4a582", "#c43b3c", "#67001f"],
    series: {
      light: ["#1f77b4", "#d05f00", "#238a23", "#d62728", "#8a5ab8", "#8c564b", "#c23f9c", "#6f6f6f"],
      dark: ["#5eaeea", "#ff9a47", "#5fcf5f", "#ff7a78", "#b99be0", "#c99b8f", "#ee8fd2", "#b4b4b4"],
    },
  },
  safe: {
    phases: [[0, 114, 178], [213, 94, 0]],
    ramp: ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"],
    signed: ["#2d004b", "#6c519b", "#b2abd2", "#f7f7f6", "#fdb863", "#c0670d", "#7f3b08"],
    series: {
      light: ["#0072b2", "#b87f00", "#008a65", "#c95800", "#b5628f", "#2b8fc9", "#8a7f00", "#000000"],
      dark: ["#4aa8e0", "#e69f00", "#16b98b", "#ff7f33", "#dd92ba", "#9ad4f5", "#d6c82a", "#ffffff"],
    },
  },
};

// The colour of a cell whose expert hardly any input reaches: most of the way to white, and hatched in the diagram.
const faded = (colour) => colour.map((value) => Math.round(value + 0.6 * (255 - value)));

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
  const series = palette(state).series[themeOf(state)];
  return series[at % series.length];
};
// One colour a feature: told apart where they are few, else along a ramp.
const featureColour = (state, i, n) => n <= 8 ? seriesColour(state, i) :
  `rgb(${onRamp(themeOf(state) === "dark" ? palette(state).ramp.slice(3) : palette(state).ramp.slice(0, -2), i / (n - 1)).join(",")})`;
