// Live parts of the pages about shares and devices. Each page works without a script; texts come from the page, in its language.
"use strict";

// A part of the page that comes anew, whole, as the server renders it. The focus stays where it was.
const live = document.getElementById("live");
const lost = document.getElementById("live-lost");
const put = (html) => {
  const focused = live.contains(document.activeElement) ? document.activeElement.id : "";
  live.innerHTML = html;
  if (focused) document.getElementById(focused)?.focus();
};
const listen = (url, told) => {
  const events = new EventSource(url);
  events.onmessage = (message) => told(JSON.parse(message.data), events);
  // The server ends each stream after a minute; only a connection that does not come back is worth a word.
  let waiting = 0;
  events.onopen = () => { clearTimeout(waiting); if (lost) lost.textContent = ""; };
  events.onerror = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (lost) lost.textContent = lost.dataset.lost; }, 5000);
  };
  return events;
};
// A browser holds six connections to one address (HTTP/1.1), and an open stream is one of them: six tabs with a stream would
// leave none for anything else. So who is not looked at does not listen.
const listenInFront = (url, told) => {
  let events = null;
  const follow = () => {
    if (document.visibilityState === "visible") {
      events ??= listen(url, told);
    } else {
      events?.close();
      events = null;
    }
  };
  document.addEventListener("visibilitychange", follow);
  follow();
};

// The choice of a share: how free each is. What is chosen stays chosen.
const shares = document.getElementById("shares");
if (shares) {
  listenInFront(shares.dataset.events, (event) => {
    for (const share of event.shares) {
      const card = shares.querySelector(`[data-share="${CSS.escape(share.name)}"]`);
      if (!card) continue;
      card.className = `share ${share.state}`;
      card.querySelector("[data-text]").textContent = share.text;
      card.querySelector("input").disabled = share.state === "never";
    }
  });
}

// The place in the queue, on its own page and on the home page.
const queue = document.getElementById("queue");
if (queue) {
  const claim = document.getElementById("claim");
  const auto = document.getElementById("auto");
  for (const part of document.querySelectorAll("[data-script]")) part.hidden = false;
  const still = (html) => html.replace(/data-left="\d+">[\d:]+/g, "");
  let shown = "";
  let offered = queue.dataset.state === "offered";
  const claimIfInFront = () => {
    if (offered && claim && auto.checked && document.visibilityState === "visible") claim.requestSubmit();
  };
  const call = () => {
    // Somebody who looks elsewhere sees the title of the tab come and go.
    if (!offered || !claim) return;
    const title = queue.dataset.offeredTitle;
    document.title = document.title.startsWith("● ") ? title : `● ${title}`;
  };
  // The page of the queue listens also where nobody looks: it calls by its title.
  (claim ? listen : listenInFront)(queue.dataset.events, (event, events) => {
    if (event.kind === "over") {
      events.close();
      if (claim) location.replace(event.url); else location.reload();
      return;
    }
    if ((event.kind === "offered") !== offered && !claim) { location.reload(); return; }
    offered = event.kind === "offered";
    // A screen reader says what is put: not every second of the countdown, which goes on by itself.
    if (still(event.html) !== shown) put(event.html);
    shown = still(event.html);
    if (!claim) return;
    claim.hidden = !offered;
    if (!offered) document.title = `${queue.dataset.waitingTitle.replace("#", event.position)} · Practicum`;
    claimIfInFront();
  });
  if (auto) {
    auto.addEventListener("change", claimIfInFront);
    document.addEventListener("visibilitychange", claimIfInFront);
    claimIfInFront();
  }
  setInterval(() => {
    call();
    for (const clock of live.querySelectorAll(".countdown")) {
      const left = Math.max(0, Number(clock.dataset.left) - 1);
      clock.dataset.left = left;
      clock.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    }
  }, 1000);
}

// The devices.
const devices = document.getElementById("devices");
if (devices) {
  let held = false;
  // A form that somebody is about to send must not be taken away under their pointer.
  devices.addEventListener("submit", () => { held = true; });
  listenInFront(devices.dataset.events, (event) => { if (!held) put(event.html); });
}
