// Keys, focus and words for screen readers. Every page works without this file: keys press what is on the page.
"use strict";
(() => {
  const TYPING = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
  const ACTING = "a, button, summary, input, select, textarea, [role=button]";
  const $ = (selector) => document.querySelector(selector);
  const store = (() => { try { return window.localStorage; } catch { return null; } })();
  const keysOn = () => store?.getItem("reverie.keys") !== "off";
  let going = false; // "g" was pressed: the next key says where to

  const press = (element) => {
    if (element.matches("[type=checkbox]")) { element.click(); return; }
    if (element.matches("input, select, textarea")) { element.focus(); element.select?.(); return; }
    element.click();
    if (element.matches("summary")) element.parentElement.querySelector("button, input:not([type=hidden])")?.focus();
  };

  // The element of a key that can be seen; those in a closed <details> cannot.
  const keyed = (key) => [...document.querySelectorAll("[data-key]")].find((element) =>
    element.dataset.key.split(" ").includes(key) && !(element.closest("details:not([open])") && !element.matches("summary")));

  document.addEventListener("keydown", (event) => {
    const area = event.target.closest?.("textarea");
    if (area && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const approve = area.form?.querySelector("[data-ctrl-enter]");
      if (approve) { event.preventDefault(); area.form.requestSubmit(approve); }
      return;
    }
    if (event.key === "Escape" && event.target.matches?.(TYPING)) { event.target.blur(); return; }
    if (event.key === "Escape") {
      const open = $("details.reject[open]");
      if (open) { open.open = false; open.querySelector("summary").focus(); }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (!keysOn() || $("dialog[open]") || event.target.matches?.(TYPING)) return;
    if (event.key === "X") { pickUpToHere(); event.preventDefault(); return; }
    if (event.key === ".") { openPalette(); event.preventDefault(); return; }
    if (event.key === "Enter" && event.target.matches?.(ACTING)) return;
    const wanted = going ? $(`[data-go="${CSS.escape(event.key)}"]`) : keyed(event.key);
    const before = going;
    going = !before && event.key === "g";
    if (!wanted) return;
    event.preventDefault();
    press(wanted);
  });

  document.addEventListener("click", (event) => {
    const element = event.target.closest?.("[data-help], [data-back]");
    if (!element) return;
    if (element.matches("[data-back]")) window.history.back();
    else { $("#keys-on").checked = keysOn(); $("#keys").showModal(); }
  });

  document.addEventListener("change", (event) => {
    if (event.target.id === "keys-on") store?.setItem("reverie.keys", event.target.checked ? "on" : "off");
  });

  // ---- decisions: what is selected, what was typed and not sent, no decision twice, the palette

  const kept = (() => { try { return window.sessionStorage; } catch { return null; } })();
  const picked = () => new Set((kept?.getItem("reverie.picked") ?? "").split(" ").filter(Boolean));
  const keepPicked = (ids) => { kept?.setItem("reverie.picked", [...ids].join(" ")); showPicked(); };
  let lastPick = null; // where a range begins

  const showPicked = () => {
    const ids = picked();
    for (const box of document.querySelectorAll("[data-pick]")) box.checked = ids.has(box.dataset.pick);
    const count = $("[data-picked]");
    if (count) count.textContent = ids.size ? ` ${ids.size}` : "";
    if ($("[data-unpick]")) $("[data-unpick]").hidden = ids.size === 0;
  };

  const pick = (box) => {
    const ids = picked();
    ids[box.checked ? "add" : "delete"](box.dataset.pick);
    lastPick = box.dataset.pick;
    keepPicked(ids);
    $("#live").textContent = `${ids.size} selected`;
  };

  const pickUpToHere = () => {
    const boxes = [...document.querySelectorAll("[data-pick]")];
    const here = boxes.findIndex((box) => box.matches('[data-key="x"]'));
    if (here < 0) return;
    const from = boxes.findIndex((box) => box.dataset.pick === lastPick);
    const [low, high] = from < 0 ? [here, here] : [Math.min(from, here), Math.max(from, here)];
    const ids = picked();
    for (const box of boxes.slice(low, high + 1)) ids.add(box.dataset.pick);
    lastPick = boxes[here].dataset.pick;
    keepPicked(ids);
    $("#live").textContent = `${ids.size} selected`;
  };

  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-pick]")) pick(event.target);
    if (event.target.matches?.("[data-send]")) event.target.form.requestSubmit();
  });

  // A text that was typed outlives an expired login and a server that was started again, in this tab.
  const draftOf = (area) => `reverie.draft.${area.dataset.draft}`;
  document.addEventListener("input", (event) => {
    if (event.target.matches?.("[data-draft]")) kept?.setItem(draftOf(event.target), event.target.value);
  });
  const showDraft = () => {
    const area = $("[data-draft]");
    const text = area && kept?.getItem(draftOf(area));
    if (text == null || text === area.value) return;
    if (!area.matches("[data-fresh]")) { kept.setItem(draftOf(area), area.value); return; }
    area.dataset.proposed = area.value;
    area.value = text;
    $("[data-kept]").hidden = false;
  };

  document.addEventListener("click", (event) => {
    const element = event.target.closest?.("[data-unpick], [data-drop-draft]");
    if (!element) return;
    if (element.matches("[data-unpick]")) { keepPicked([]); return; }
    const area = $("[data-draft]");
    area.value = area.dataset.proposed;
    kept?.removeItem(draftOf(area));
    $("[data-kept]").hidden = true;
    area.focus();
  });

  // The second of two clicks, or of two key presses, is about a page that nobody has looked at yet.
  const TWICE = 400; // ms
  let sent = { what: "", at: -TWICE };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-bulk]")) form.querySelector("[data-ids]").value = [...picked()].join(" ");
    if (form.method !== "post") return;
    const what = `${new URL(event.submitter?.getAttribute("formaction") ?? form.getAttribute("action"), window.location.href).pathname.split("/").pop()} ${event.submitter?.value ?? ""}`;
    const again = what === sent.what && event.timeStamp - sent.at < TWICE;
    sent = { what, at: event.timeStamp };
    if (again) { event.preventDefault(); event.stopImmediatePropagation(); }
  }, true);

  // All that can be done here, by name.
  const openPalette = () => {
    const list = $("#palette ul");
    const seen = [...document.querySelectorAll("#page [data-key], #page [data-go]")].filter((element) => element.offsetParent !== null);
    list.replaceChildren(...seen.map((element) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = (element.labels?.[0] ?? element).textContent.replace(/\s+/g, " ").trim().slice(0, 80) || element.dataset.key;
      button.addEventListener("click", () => { $("#palette").close(); press(element); });
      const item = document.createElement("li");
      item.append(button);
      return item;
    }));
    $("#palette input").value = "";
    $("#palette").showModal();
    $("#palette input").focus();
  };
  document.addEventListener("input", (event) => {
    if (!event.target.matches?.("#palette input")) return;
    const words = event.target.value.toLowerCase();
    for (const item of $("#palette ul").children) item.hidden = !item.textContent.toLowerCase().includes(words);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches?.("#palette input")) return;
    event.preventDefault();
    [...$("#palette ul").children].find((item) => !item.hidden)?.querySelector("button").click();
  });

  const decisions = () => {
    const done = $("#page [data-decided]")?.dataset.decided;
    if (done) {
      kept?.removeItem(`reverie.draft.${done}`);
      const ids = picked();
      if (ids.delete(done)) keepPicked(ids);
    }
    if ($("#page [data-unpicked]")) keepPicked([]);
    showPicked();
    showDraft();
  };

  // What has just happened is said aloud; the place a link points at gets the focus.
  const settled = (swapped) => {
    const said = $("#page [data-say]")?.textContent.trim();
    if (said && $("#live").textContent !== said) $("#live").textContent = said;
    decisions();
    if (swapped?.detail?.elt && swapped.detail.elt.id !== "page") return; // a part that looks again by itself: focus stays
    const here = $("[data-here]");
    if (here) { here.scrollIntoView({ block: "center" }); here.focus({ preventScroll: true }); }
    const current = $(".pile [aria-current]");
    if (current) current.closest("ol").scrollTop = current.offsetTop - 80;
    // What asks for the focus gets it, also where this runs before the browser has seen to that.
    const asks = $("#page [autofocus]"), title = $("#page h1");
    if (!here && document.activeElement === document.body) {
      if (asks) asks.focus({ preventScroll: true });
      else if (title) { title.tabIndex = -1; title.focus({ preventScroll: true }); }
    }
    // A link to an event that is not on this stretch of the transcript leads to the stretch that has it.
    const event = window.location.hash.slice(1);
    if (event.startsWith("sevt_") && !document.getElementById(event) && /^\/sessions\/[^/]+$/.test(window.location.pathname)
        && new URLSearchParams(window.location.search).get("at") !== event)
      window.location.replace(`${window.location.pathname}?at=${encodeURIComponent(event)}#${event}`);
  };
  document.addEventListener("htmx:afterSettle", settled);
  settled();

  // A server that does not answer is said, and the page stays as it is.
  document.addEventListener("htmx:sendError", () => {
    $("#live").textContent = "The server does not answer; nothing was sent.";
    $("#live").classList.remove("unseen");
  });
})();
