// What a page of a learner's server can try against the rest of its origin. Evaluated to an object of functions.
(() => {
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const told = async (answer) => `${answer.url} ${await answer.text()}`;
  // What a window or frame shows, looked at until it holds something or the time is over.
  async function shown(documentOf) {
    let text = "";
    for (let round = 0; round < 12; round += 1) {
      await pause(150);
      try {
        const found = documentOf();
        if (found && found.URL !== "about:blank") text = `${found.URL} ${found.documentElement.outerHTML}`;
        if (found && found.readyState === "complete" && found.URL !== "about:blank") break;
      } catch (error) { text = `out of reach: ${error.name}`; }
    }
    return text;
  }
  async function framed(tag, attribute, url) {
    const frame = document.createElement(tag);
    frame[attribute] = url;
    document.body.append(frame);
    const text = await shown(() => frame.contentDocument);
    frame.remove();
    return text;
  }
  async function opened(handle) {
    const text = await shown(() => handle.document);
    handle.close();
    return text;
  }
  const reads = {
    "fetch": async (url) => told(await fetch(url)),
    "fetch as same-origin": async (url) => told(await fetch(url, { mode: "same-origin", credentials: "include" })),
    "fetch as an image would": async (url) => told(await fetch(url, { mode: "no-cors", credentials: "include" })),
    "fetch with forged headers": async (url) => told(await fetch(url, {
      headers: { "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html" } })),
    "fetch from the cache": async (url) => told(await fetch(url, { cache: "force-cache" })),
    "fetch under our address": async (url) => {
      const before = location.href;
      history.replaceState(null, "", "/services/practicum/people");
      try { return await told(await fetch(url)); } finally { history.replaceState(null, "", before); }
    },
    "XMLHttpRequest": (url) => new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open("GET", url);
      request.onloadend = () => resolve(`${request.responseURL} ${request.responseText}`);
      request.send();
    }),
    "a worker": (url) => new Promise((resolve) => {
      const code = "onmessage = async (m) => postMessage(await fetch(m.data).then(async (a) => a.url + ' ' + await a.text(), String))";
      const worker = new Worker(URL.createObjectURL(new Blob([code])));
      worker.onmessage = (message) => resolve(message.data);
      worker.onerror = () => resolve("");
      worker.postMessage(new URL(url, location).href);
    }),
    "cache storage": async (url) => {
      const cache = await caches.open("stolen");
      await cache.add(url);
      return told(await cache.match(url));
    },
    "iframe": (url) => framed("iframe", "src", url),
    "object": (url) => framed("object", "data", url),
    "embed": async (url) => {
      const text = framed("embed", "src", url);
      for (let round = 0; round < 10 && !window.length; round += 1) await pause(100);
      const frame = window[window.length - 1];
      return `${await text} ${await shown(() => frame && frame.document)}`;
    },
    "a window": (url) => opened(open(url)),
    "a window sent on": async (url) => { const handle = open("about:blank"); handle.location = url; return opened(handle); },
    "a window found by name": async (url) => {
      const name = `name${Math.random()}`;
      open(url, name);
      await pause(900);
      return opened(open("", name));
    },
  };
  const answerOf = (read, url) => read(url).then(String, (error) => `threw ${error.name}`);
  return {
    // The answers of every way of reading to one address.
    async readAll(url) {
      const names = Object.keys(reads);
      const answers = await Promise.all(names.map((name) => answerOf(reads[name], url)));
      return Object.fromEntries(names.map((name, index) => [name, answers[index]]));
    },
    // Sends a form in a window of its own, as a person's click would.
    async sendForm(action, fields) {
      const form = Object.assign(document.createElement("form"), { method: "post", action, target: "_blank" });
      for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement("input"), { name, value }));
      document.body.append(form);
      form.submit();
      await fetch(action, { method: "POST", body: new URLSearchParams(fields) });
      navigator.sendBeacon(action, new URLSearchParams(fields));
    },
    // Names of the cookies that scripts see in a frame and in a window of that address, null where neither can be reached.
    async cookiesAt(url) {
      const frame = Object.assign(document.createElement("iframe"), { src: url });
      document.body.append(frame);
      const handle = open(url);
      const found = [];
      await pause(800);
      for (const documentOf of [() => frame.contentDocument, () => handle.document]) {
        try {
          const reached = documentOf();
          found.push(...reached.cookie.split("; ").map((each) => each.split("=")[0]));
        } catch { /* out of reach */ }
      }
      handle.close();
      frame.remove();
      return found;
    },
    async socket(url) {
      return new Promise((resolve) => {
        const socket = new WebSocket(url);
        socket.onopen = () => resolve("open");
        socket.onerror = () => resolve("refused");
      });
    },
  };
})()
