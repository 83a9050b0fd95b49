/* What is wider than its place scrolls by itself: then the keyboard must reach it, too. */
(() => {
  const scrolls = (box) =>
    ["auto", "scroll"].includes(getComputedStyle(box).overflowX) &&
    (box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1);
  const mark = () => {
    const boxes = ".bd-article pre, .bd-article div:has(> table), .bd-article div.math, " +
      ".bd-article mjx-container, .bd-article p, .bd-article .output, .bd-article dd, .bd-article table";
    for (const box of document.querySelectorAll(boxes)) {
      if (scrolls(box)) box.tabIndex = 0;
      else if (box.getAttribute("tabindex") === "0") box.removeAttribute("tabindex");
    }
  };
  addEventListener("load", () => setTimeout(mark, 0));
  addEventListener("resize", mark);
  addEventListener("DOMContentLoaded", () => new ResizeObserver(mark).observe(document.body));
  addEventListener("toggle", mark, true);
})();
