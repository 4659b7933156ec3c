-- The Lua of the integrations: Lua 5.4 in darktable, 5.1 in Lightroom Classic, both in lua/.
max_line_length = 105
std = "lua54"
files["lua"] = { std = "min" }
files["lightroom"] = { std = "lua51", read_globals = { "import", "WIN_ENV" } }
