// Keys, focus and words for screen readers. Every page works without this file: keys press what is on the page.
"use strict";
(() => {
  const TYPING = "input:not([type=checkbox]), textarea, select, [contenteditable]";
  const ACTING = "a, button, summary, input, select, textarea, [role=button]";
  const $ = (selector) => document.querySelector(selector);
  const store = (() => { try { return window.localStorage; } catch { return null; } })();
  const keysOn = () => store?.getItem("reverie.keys") !== "off";
  let going = false; // "g" was pressed: the next key says where to

  const press = (element) => {
    if (element.matches("input, select, textarea")) { element.focus(); element.select?.(); return; }
    element.click();
    if (element.matches("summary")) element.parentElement.querySelector("button, input")?.focus();
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

  // What has just happened is said aloud; the place a link points at gets the focus.
  const settled = () => {
    const said = $("#page [data-say]")?.textContent.trim();
    if (said) $("#live").textContent = said;
    const here = $("[data-here]");
    if (here) { here.scrollIntoView({ block: "center" }); here.focus({ preventScroll: true }); }
    const current = $(".pile [aria-current]");
    if (current) current.closest("ol").scrollTop = current.offsetTop - 80;
    const title = $("#page h1");
    if (title && !here && document.activeElement === document.body) { title.tabIndex = -1; title.focus({ preventScroll: true }); }
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
