// Elements without markup in strings: what a model or a person says is always text.

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export const find = (id) => document.getElementById(id);
