#!/usr/bin/python3
"""The repository around the code: its commands, its documents, its build trees."""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kit"))
from tap import cases, check, check_eq, run, test  # noqa: E402

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
ENV = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"}
PAGE_LINES = 60


def text_of(path):
    with open(os.path.join(ROOT, path)) as f:
        return f.read()


def ours(*argv):
    p = subprocess.run(argv, cwd=ROOT, env=ENV, stdin=subprocess.DEVNULL, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    check(p.returncode == 0, f"{' '.join(argv)}: exit status {p.returncode}\n{p.stdout[-2000:]}")
    return p.stdout


@test
def the_documents_and_settings_are_there():
    for path in ("README.md CONTRIBUTING.md SECURITY.md LICENSE docs/ARCHITECTURE.md docs/reference.md"
                 " docs/verification.md .clang-format .clang-tidy .editorconfig").split():
        check(len(text_of(path)) > 200, f"{path} says nothing")
    check("Apache License" in text_of("LICENSE"), "LICENSE is another one")
    for number in range(4):
        check_eq(len(glob.glob(os.path.join(ROOT, f"docs/decisions/{number}-*.md"))), 1,
                 f"records of decision {number}")


@test
def ci_runs_make_test_and_nothing_else():
    check_eq(text_of(".ci/run"), "#!/bin/sh\nexec make test\n")
    check(os.access(os.path.join(ROOT, ".ci/run"), os.X_OK), ".ci/run is not executable")


def anchors_of(text):
    """Of a document's titles; one that comes again gets -1, -2."""
    seen = {}
    for title in re.findall(r"^#+ +(.*)$", text, re.M):
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        seen[anchor] = seen.get(anchor, -1) + 1
        yield f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor


@test
def links_in_the_documents_lead_somewhere():
    documents = ours("git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md").split()
    for document in documents:
        if not os.path.exists(os.path.join(ROOT, document)):
            continue
        for link in re.findall(r"\]\(([^)\s]+)\)", text_of(document)):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path \
                else document
            check(os.path.exists(os.path.join(ROOT, target)), f"{document} links to {link}")
            if anchor:
                check(anchor in anchors_of(text_of(target)), f"{document} links to {link}, but there is no such title")


@test
def the_architecture_page_is_short_and_names_rooms_that_exist():
    text = text_of("docs/ARCHITECTURE.md")
    check(text.count("\n") <= 4 * PAGE_LINES, f"{text.count(chr(10))} lines are over four pages")
    check(max(map(len, text.splitlines())) <= 120, "a line is too long to count as one")
    for path in set(re.findall(r"\b(?:src|tests|tools|docs|bench)/[\w/.-]*\w", text)):
        check(os.path.exists(os.path.join(ROOT, path)), f"it names {path}")


@test
def install_honours_destdir_and_prefix():
    with tempfile.TemporaryDirectory() as dest:
        ours("make", "install", f"DESTDIR={dest}", "prefix=/opt/weir")
        found = [os.path.relpath(os.path.join(d, f), dest) for d, _, fs in os.walk(dest) for f in fs]
        check_eq(found, ["opt/weir/bin/weir"], "what was installed")
        check("weir" in ours(os.path.join(dest, found[0]), "version"), "weir version says nothing")


@test
def every_make_target_is_explained_by_make_help():
    targets = re.findall(r"^([a-z-]+):", text_of("Makefile"), re.M)
    listed = [line.split()[0] for line in ours("make", "help").splitlines()]
    check_eq(sorted(listed), sorted(targets), "targets")


@cases(("debug", "0", "none", False), ("asan", "1", "address,undefined", False),
       ("tsan", "1", "thread", False), ("coverage", "0", "none", True),
       ("fuzz", "1", "address,undefined", False))
def a_build_tree_is_what_its_name_says(name, optimization, sanitize, coverage):
    ours("tools/tree", name, "build.ninja")
    options = {o["name"]: o["value"]
               for o in json.loads(ours("meson", "introspect", f"build-{name}", "--buildoptions"))}
    check_eq(options["optimization"], optimization)
    check_eq(options["b_sanitize"], sanitize)
    check_eq(options["b_coverage"], coverage)
    check_eq(options["werror"], True)
    check_eq(options["fuzz"], name == "fuzz")


if __name__ == "__main__":
    run()
