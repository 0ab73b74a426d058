// The little of the DOM that the page needs. Text goes in as text: a rep may be called "<script>".

/** An element with a class and children: nodes or strings. */
export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** What an object holds under a name that anybody may have chosen: "constructor" is a name like any other. */
export const held = (object, name) => (object && Object.hasOwn(object, name) ? object[name] : undefined);

/** Set a node's text; one that has it already is left alone, so that a selection and a screen reader are, too. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set an attribute, or take it away (null). */
export function mark(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** A name as somebody chose it: it may run from right to left, and stays within itself. */
export function named(className, name) {
  const made = element("bdi", className);
  made.textContent = name;
  return made;
}

/**
 * Let a parent's children be those of some items, in their order: `make(item)` makes the node of a key that is new,
 * `update(node, item)` brings it up to date. Nodes that stay keep focus and place.
 */
export function reconcile(parent, items, key, make, update) {
  const old = new Map();
  for (const node of parent.children) old.set(node.key, node);
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let node = old.get(name);
    if (node) old.delete(name);
    else {
      node = make(item);
      node.key = name;
    }
    update(node, item);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const node of old.values()) node.remove();
}

/** A set of radio buttons, of which one is chosen; `options` are [value, words]. Buttons that are there keep their focus. */
export function choose(fieldset, name, options, chosen, onChange) {
  reconcile(fieldset.querySelector(".options"), options, ([value]) => value, ([value, words]) => {
    const input = element("input");
    Object.assign(input, { type: "radio", name, value });
    input.addEventListener("change", () => onChange(value));
    return element("label", "", input, element("span", "", words));
  }, (label, [value]) => {
    label.firstChild.checked = value === chosen;
  });
}
