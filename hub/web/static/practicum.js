// What pages can do better with a script. Each works without one; texts come from the page, in its language.
"use strict";

// A button that copies the field before it.
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      return; // not allowed here: the field is selected, Ctrl-C is one step away
    }
    document.getElementById(button.dataset.status).textContent = button.dataset.done;
  });
}

// A second click on a button that is at work does nothing.
for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
// Coming back with the back button finds the forms usable again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form")) delete form.dataset.sent;
});

// The waiting page: progress until the server runs, then straight on to it.
const waiting = document.getElementById("waiting");
if (waiting) {
  const text = document.getElementById("waiting-text");
  const bar = document.getElementById("waiting-bar");
  if (waiting.dataset.target) {
    location.replace(waiting.dataset.target);
  } else {
    const events = new EventSource(waiting.dataset.events);
    events.onmessage = (message) => {
      const event = JSON.parse(message.data);
      if (event.kind === "progress") {
        // An empty step must not take away the sentence that stands there.
        if (event.text && event.text !== text.textContent) text.textContent = event.text;
        bar.value = Math.max(bar.value, event.percent);
      } else if (event.kind === "ready") {
        events.close();
        bar.value = 100;
        text.textContent = waiting.dataset.ready;
        location.replace(event.url);
      } else {
        events.close();
        document.getElementById("waiting-progress").hidden = true;
        document.getElementById("waiting-failed-text").textContent = event.text;
        document.getElementById("waiting-failed").hidden = false;
        document.getElementById("waiting-again").focus();
      }
    };
  }
}
