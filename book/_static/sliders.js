/* Sliders through images: see book/_ext/book_sliders.py. The page holds all images with their
   labels; here they are laid over each other, and get the fields that choose among them. */
"use strict";
(() => {
  let count = 0;

  const make = (tag, settings = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), settings);
    made.append(...children);
    return made;
  };

  /* A row of the fields: a word, and what it belongs to. */
  const addRow = (fields, word, control, ...more) => {
    control.id = `slider-${++count}`;
    control.autocomplete = "off";
    fields.append(make("label", {htmlFor: control.id, textContent: word}),
      more.length ? make("span", {className: "slider-turn"}, control, ...more) : control);
  };

  const tell = (control, words) => control.setAttribute("aria-valuetext", words);

  function makeSeries(slider, fields, frames, labels) {
    const range = make("input", {type: "range", min: 0, max: frames.length - 1, step: 1});
    const word = make("span", {className: "slider-word"});
    word.setAttribute("aria-hidden", "true");  // the field says it
    const show = () => {
      frames.forEach((frame, i) => frame.classList.toggle("shown", i === range.valueAsNumber));
      word.textContent = labels[range.valueAsNumber];
      tell(range, word.textContent);
    };
    range.value = slider.dataset.first;
    range.addEventListener("input", show);
    addRow(fields, slider.getAttribute("aria-label"), range, word);
    show();
  }

  function makeComparison(slider, fields, frames, labels) {
    const range = make("input", {type: "range", min: 0, max: 100, step: 1, value: 50});
    const chosen = [Number(slider.dataset.left), Number(slider.dataset.right)];
    const sides = ["left", "right"];
    const lists = sides.map(() => make("select", {},
      ...labels.map(label => make("option", {textContent: label}))));
    const stage = slider.querySelector(".slider-frames");
    const show = () => {
      frames.forEach((frame, i) => {
        sides.forEach((side, k) => frame.classList.toggle(side, i === chosen[k]));
        frame.classList.toggle("shown", chosen.includes(i));
      });
      lists.forEach((list, k) => { list.selectedIndex = chosen[k]; });
      const cut = range.valueAsNumber, [left, right] = chosen.map(i => labels[i]);
      stage.style.setProperty("--slider-cut", `${cut}%`);
      tell(range, `${cut} % ${left}, ${100 - cut} % ${right}`);
    };
    lists.forEach((list, k) => list.addEventListener("change", () => {
      // who chooses what stands on the other side changes the sides
      if (list.selectedIndex === chosen[1 - k]) chosen[1 - k] = chosen[k];
      chosen[k] = list.selectedIndex;
      show();
    }));
    range.addEventListener("input", show);
    const follow = event => {
      const box = stage.getBoundingClientRect();
      range.value = 100 * (event.clientX - box.left) / box.width;
      show();
    };
    stage.addEventListener("dragstart", event => event.preventDefault());
    stage.addEventListener("pointerdown", event => {
      if (event.button) return;
      stage.setPointerCapture(event.pointerId);
      range.focus({preventScroll: true});
      follow(event);
    });
    stage.addEventListener("pointermove", event => {
      if (stage.hasPointerCapture(event.pointerId)) follow(event);
    });
    addRow(fields, "Divider", range);
    fields.append(make("span", {className: "slider-hint", textContent:
      "Drag the divider in the image, or move it with the arrow keys."}));
    sides.forEach((side, k) => addRow(fields, side === "left" ? "Left" : "Right", lists[k]));
    show();
  }

  function begin() {
    for (const slider of document.querySelectorAll(".slider")) {
      const frames = [...slider.querySelectorAll(".slider-frame")];
      const labels = frames.map(frame => frame.querySelector("figcaption").textContent);
      const fields = make("div", {className: "slider-fields"});
      const fill = {series: makeSeries, compare: makeComparison}[slider.dataset.kind];
      fill(slider, fields, frames, labels);
      slider.append(fields);
      slider.classList.add("ready");
    }
  }

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", begin);
  else begin();
})();
