// Regions of the input space by the experts that a router chooses there: convex cones, cut exactly.

const MOST_REGIONS = 64;  // of sets of experts; beyond, regions are those of the first expert

// The part of a convex polygon (points of the input space) where d . x >= 0.
const clip = (polygon, d) => {
  const side = polygon.map((x) => x.reduce((sum, value, f) => sum + value * d[f], 0));
  const kept = [];
  polygon.forEach((x, i) => {
    const j = (i + 1) % polygon.length;
    if (side[i] >= 0) kept.push(x);
    if (side[i] > 0 && side[j] < 0 || side[i] < 0 && side[j] > 0) {
      const share = side[i] / (side[i] - side[j]);
      kept.push(x.map((value, f) => value + share * (polygon[j][f] - value)));
    }
  });
  return kept;
};

const area = (points) => Math.abs(points.reduce((sum, [x, y], i) => {
  const [u, v] = points[(i + 1) % points.length];
  return sum + x * v - u * y;
}, 0)) / 2;

// All sets of k of E experts.
const sets = (E, k) => k === 0 ? [[]] :
  Array.from({ length: E }, (_, last) => last).flatMap((last) => sets(last, k - 1).map((set) => [...set, last]));

const setCount = (E, k) => k === 0 ? 1 : setCount(E - 1, k - 1) * E / k;

// n = 2: the square 0..1; n = 3: the triangle between the axes, drawn in the plane.
const DOMAINS = {
  2: { corners: [[0, 0], [1, 0], [1, 1], [0, 1]], place: ([x, y]) => [x, y] },
  3: { corners: [[1, 0, 0], [0, 1, 0], [0, 0, 1]], place: ([, y, z]) => [y + z / 2, z * Math.sqrt(3) / 2] },
};

// G [E][n] with n = 2 or 3 -> [{experts, points in the plane, share of the domain}], without empty ones.
const routerRegions = (G, E, n, k) => {
  const { corners, place } = DOMAINS[n];
  const bySet = setCount(E, k) <= MOST_REGIONS;
  const total = area(corners.map(place));
  const found = [];
  for (const experts of sets(E, bySet ? k : 1)) {
    let polygon = corners;
    for (const i of experts) {
      for (let j = 0; j < E; ++j) {
        if (experts.includes(j)) continue;
        const d = Array.from({ length: n }, (_, f) => G[i * n + f] - G[j * n + f]);
        // Experts that score alike everywhere: the lower one is chosen.
        polygon = d.every((value) => value === 0) ? (i < j ? polygon : []) : clip(polygon, d);
      }
    }
    const points = polygon.map(place), share = polygon.length > 2 ? area(points) / total : 0;
    if (share > 1e-9) found.push({ experts, points, share });
  }
  return found;
};
