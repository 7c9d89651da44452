// All results as small pictures above, to choose the two that lie side by side.

// The buttons are one stop of the Tab key; arrow keys move among them.
const oneTabStop = (root) => {
  const buttons = [...root.querySelectorAll("button")];
  buttons.forEach((button, at) => { button.tabIndex = at === 0 ? 0 : -1; });
  root.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const to = buttons[buttons.indexOf(event.target) + by];
    if (!to) return;
    event.preventDefault();
    to.focus();
  });
  root.addEventListener("focusin", (event) => buttons.forEach((button) => { button.tabIndex = button === event.target ? 0 : -1; }));
};

const drawGallery = async (root, change) => {
  root.hidden = state.all.length < 3;
  if (root.hidden) return;
  if (!root.children.length) {
    state.all.forEach((results) => {
      const name = element("div", { className: "name", textContent: results.title, title: `${results.title} (${results.name})` });
      const buttons = sideNames.map((side, s) => {
        const button = element("button", { type: "button", textContent: side, "aria-label": `${results.title} on the ${side}` });
        button.addEventListener("click", () => change(s, results.at));
        return button;
      });
      root.append(element("div", { className: "card" }, name, element("div", { className: "pictures" }), ...buttons));
    });
    oneTabStop(root);
  }
  for (const [at, card] of [...root.children].entries()) {
    card.querySelectorAll("button").forEach((button, side) => button.setAttribute("aria-pressed", state.sides[side] === at));
    const results = await state.all[at].load();
    const panels = panelsOf(results).slice(0, 6), scaleOf = scalesOf(panels);
    const pictures = panels.map((panel) => {
      const colours = coloursOf(panel, scaleOf(panel));
      const canvas = element("canvas", { width: colours[0].length, height: colours.length, "aria-hidden": "true" });
      const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
      colours.flat().forEach((colour, i) => image.data.set([...colour, 255], 4 * i));
      context.putImageData(image, 0, 0);
      return canvas;
    });
    card.querySelector(".pictures").replaceChildren(...pictures);
  }
};
