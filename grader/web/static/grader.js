// What the grader's pages can do better with a script. Each works without one; texts come from the page, in its language.
"use strict";

// The class page: the part that changes comes anew, whole, as the server renders it; the focus stays where it was.
const live = document.getElementById("live");
if (live) {
  const lost = document.getElementById("live-lost");
  const events = new EventSource(live.dataset.events);
  events.onmessage = (message) => {
    const focused = live.contains(document.activeElement) ? document.activeElement.id : "";
    live.innerHTML = JSON.parse(message.data).html;
    if (focused) document.getElementById(focused)?.focus();
    lost.textContent = "";
  };
  // The server ends each stream after a minute; only a connection that does not come back is worth a word.
  let waiting = 0;
  events.onopen = () => { clearTimeout(waiting); lost.textContent = ""; };
  events.onerror = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { lost.textContent = live.dataset.lost; }, 5000);
  };
}

// Reading answers by keyboard. Keys mean letters and digits only while no field has the focus.
const marking = document.getElementById("marking");
if (marking) {
  const points = document.getElementById("points");
  const comment = document.getElementById("comment");
  const buttons = [...marking.querySelectorAll("button.point")];
  const most = Number(marking.dataset.max);
  const show = () => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.points === points.value.trim()));
  };
  for (const button of buttons) {
    button.addEventListener("click", () => { points.value = button.dataset.points; show(); });
  }
  points.addEventListener("input", show);
  const go = (url) => { if (url) location.assign(url); };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      marking.requestSubmit();
      return;
    }
    if (event.key === "Escape") document.activeElement.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.activeElement === points || document.activeElement === comment) return;
    if (/^[0-9]$/.test(event.key) && Number(event.key) <= most) {
      points.value = event.key;
      show();
    } else if (event.key === "c") {
      event.preventDefault();
      comment.focus();
    } else if (event.key === "n") {
      go(marking.dataset.next);
    } else if (event.key === "j") {
      go(marking.dataset.following);
    } else if (event.key === "k") {
      go(marking.dataset.previous);
    }
  });
}
