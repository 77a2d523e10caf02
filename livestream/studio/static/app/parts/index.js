export { Button, Chip, Code, Empty, Icon, Search, Slider, Spinner, Switch, copyText } from "./basic.js";
export { Dialog, Menu, MenuItem, Toasts, toast } from "./floating.js";
export { declareKeys, shortcuts, useKeys } from "./keys.js";
export { Panel } from "./panel.js";
export { Split } from "./split.js";
export { THEMES, isDark, theme } from "./theme.js";
