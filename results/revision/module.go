package revision

// Module is the path of our own module, which "make module-path" changes.
const Module = "floodgate"
