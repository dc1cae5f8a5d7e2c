// What makes the pages quicker. All that they do works without: forms and links.

const DEBOUNCE_MS = 120;

function focusWithSlash(input) {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) return;
    event.preventDefault();
    input.focus();
    input.select();
  });
}

// A combobox as ARIA describes it: the focus stays in the box, and aria-activedescendant follows the arrows.
class Completions {
  constructor(input, list) {
    this.input = input;
    this.list = list;
    this.active = -1;
    this.typed = input.value;
    this.asked = null;
    this.timer = 0;
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", list.id);
    input.setAttribute("aria-expanded", "false");
    input.addEventListener("input", () => this.later());
    input.addEventListener("keydown", (event) => this.key(event));
    input.addEventListener("blur", () => this.close());
    // Before the blur, which would close the list.
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.take(option);
    });
  }

  get options() {
    return [...this.list.children];
  }

  later() {
    this.typed = this.input.value;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), DEBOUNCE_MS);
  }

  async ask() {
    const text = this.typed.trim();
    this.asked?.abort();
    if (text.length < 2) return this.close();
    const asked = (this.asked = new AbortController());
    try {
      const url = new URL(this.input.dataset.suggest, location.origin);
      url.searchParams.set("q", text);
      const answer = await fetch(url, { signal: asked.signal, headers: { Accept: "application/json" } });
      if (!answer.ok) return this.close();
      const { completions } = await answer.json();
      if (asked === this.asked && document.activeElement === this.input) this.show(completions);
    } catch {
      // Given up for another text, or the server is away: nothing is completed.
      if (asked === this.asked) this.close();
    }
  }

  show(completions) {
    const texts = [...new Set(completions.map((found) => found.text))];
    this.active = -1;
    this.list.replaceChildren(...texts.map((text, number) => this.option(text, number)));
    this.list.hidden = texts.length === 0;
    this.input.setAttribute("aria-expanded", String(texts.length > 0));
    this.input.removeAttribute("aria-activedescendant");
  }

  option(text, number) {
    const option = document.createElement("li");
    option.id = `completion-${number}`;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    // As text: what a document holds is never markup here.
    option.textContent = text;
    return option;
  }

  key(event) {
    if (event.isComposing) return;
    const open = !this.list.hidden;
    if (event.key === "Escape" && open) {
      event.preventDefault();
      this.input.value = this.typed;
      this.close();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && open) {
      event.preventDefault();
      this.move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter" && open && this.active >= 0) {
      event.preventDefault();
      this.take(this.options[this.active]);
    }
  }

  // One place more than there are options: the box itself.
  move(step) {
    const options = this.options;
    this.active = ((this.active + 1 + step + options.length + 1) % (options.length + 1)) - 1;
    options.forEach((option, number) => option.setAttribute("aria-selected", String(number === this.active)));
    const option = options[this.active];
    this.input.value = option ? option.textContent : this.typed;
    if (option) {
      this.input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else this.input.removeAttribute("aria-activedescendant");
  }

  take(option) {
    this.input.value = option.textContent;
    this.close();
    this.input.form.requestSubmit();
  }

  close() {
    clearTimeout(this.timer);
    this.asked?.abort();
    this.asked = null;
    this.list.hidden = true;
    this.list.replaceChildren();
    this.active = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}

function searchBox(form) {
  const input = form.elements.namedItem("q");
  focusWithSlash(input);
  if (input.dataset.suggest) new Completions(input, document.getElementById("completions"));
  form.addEventListener("change", (event) => {
    if (event.target.name === "mode" && input.value.trim()) form.requestSubmit();
  });
}

// Asks for the page again, and puts its content in the place of what is shown.
function refreshed(shown) {
  let failed = 0;
  const again = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
        if (!answer.ok || !fresh) throw new Error(answer.statusText);
        shown.replaceChildren(...fresh.childNodes);
        shown.classList.remove("stale");
        failed = 0;
      } catch {
        failed += 1;
        shown.classList.add("stale");
      }
    }
    // A server that is away is asked ever more rarely, but at least once a minute.
    setTimeout(again, Math.min(60, Number(shown.dataset.refresh) * 2 ** Math.min(failed, 5)) * 1000);
  };
  setTimeout(again, Number(shown.dataset.refresh) * 1000);
}

const form = document.getElementById("search");
if (form) searchBox(form);
const main = document.getElementById("main");
if (main?.dataset.refresh) refreshed(main);
