#!/usr/bin/env python3
"""embed.py - the dashboard's files become one page, and that a C array: embed.py OUT.c INDEX.html STYLE.css SCRIPT.js...

The Content-Security-Policy allows that one style, that one script and Weir itself, and nothing from elsewhere.
"""
import base64
import hashlib
import sys


def hash_source(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def build(index, style, scripts):
    """(page, policy, etag)"""
    script = '"use strict";\n(() => {\n' + "\n".join(scripts) + "})();\n"
    style = "\n" + style
    for text in (script, style):
        if "</" in text:
            sys.exit("embed.py: the script or the style would end its element")
    page = index.replace("/*STYLE*/", style).replace("/*SCRIPT*/", script)
    policy = "; ".join([
        "default-src 'none'", "script-src " + hash_source(script), "style-src " + hash_source(style),
        "img-src data:", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        "require-trusted-types-for 'script'", "trusted-types 'none'"])
    return page, policy, '"' + hashlib.sha256(page.encode()).hexdigest()[:32] + '"'


def c_array(data):
    rows = [data[i:i + 20] for i in range(0, len(data), 20)]
    return "".join("\t" + ",".join(str(b) for b in row) + ",\n" for row in rows)


def c_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def main():
    out, index, style, *scripts = sys.argv[1:]
    page, policy, etag = build(read(index), read(style), [read(s) for s in scripts])
    data = page.encode()
    with open(out, "w", encoding="utf-8") as f:
        f.write('/* Made by embed.py. */\n#include "admin/dashboard.h"\n'
                f"const unsigned char dashboard_page[] = {{\n{c_array(data)}}};\n"
                f"const size_t dashboard_page_len = sizeof dashboard_page;\n"
                f"const char dashboard_policy[] = {c_string(policy)};\n"
                f"const char dashboard_etag[] = {c_string(etag)};\n")


if __name__ == "__main__":
    main()
