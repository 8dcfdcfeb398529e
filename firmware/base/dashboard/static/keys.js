// The keyboard for the review queue: a key presses the button, or goes to the field, that names it.
// It does nothing that a click would not.
(() => {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = document.activeElement;
    if (event.key === "Escape" && at) { at.blur(); return; }
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName)) {
      if (event.key === "Enter" && at.tagName === "SELECT" && at.form) {
        event.preventDefault();
        at.form.requestSubmit();
      }
      return;
    }
    if (event.repeat || !/^[a-z0-9]$/i.test(event.key)) return;
    const key = event.key.toLowerCase();
    const press = document.querySelector(`[data-key="${key}"]`);
    const field = document.querySelector(`[data-focus="${key}"]`);
    if (!press && !field) return;
    event.preventDefault();
    if (press) press.click();
    else field.focus();
  });
})();
