#!/usr/bin/python3
"""tools/setup with stand-ins for dpkg-query, apt-get, id and sudo: nothing is installed here."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kit"))
from tap import check, check_eq, run, test  # noqa: E402
from load import TOOLS  # noqa: E402

SETUP = os.path.abspath(os.path.join(TOOLS, "setup"))
# What the script itself needs; nothing else of the machine is on the PATH.
PLAIN = "sh env tr sed grep rm mv tee chmod mktemp tail cat true".split()
NOTHING_INSTALLED = "#!/bin/sh\nexit 1\n"
ROOT, NOBODY = "#!/bin/sh\necho 0\n", "#!/bin/sh\necho 1000\n"


class Machine:
    """A directory of commands that is the whole PATH, and a place for the daemon guard."""

    def __init__(self, **commands):
        self.dir = tempfile.mkdtemp()
        self.guard = os.path.join(self.dir, "policy-rc.d")
        self.bin = os.path.join(self.dir, "bin")
        os.mkdir(self.bin)
        for name in PLAIN:
            os.symlink(shutil.which(name), os.path.join(self.bin, name))
        for name, text in commands.items():
            self.put(os.path.join(self.bin, name.replace("_", "-")), text)

    @staticmethod
    def put(path, text):
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o755)

    def start(self, *groups):
        env = {"PATH": self.bin, "WEIR_POLICY_RC_D": self.guard, "WEIR_ROOT": self.dir,
               "DIR": self.dir, "TMPDIR": self.dir}
        return subprocess.Popen([SETUP, *groups], env=env, stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def setup(self, *groups):
        """(exit status, output)"""
        p = self.start(*groups)
        out, _ = p.communicate(timeout=30)
        return p.returncode, out

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)


@test
def is_silent_where_all_is_installed():
    p = subprocess.run([SETUP, "build", "demo", "test", "lint"], stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, timeout=30)
    check_eq((p.returncode, p.stdout, p.stderr), (0, "", ""))


@test
def says_what_is_missing_where_this_is_not_debian():
    with Machine(id=ROOT) as m:
        status, out = m.setup("build")
        check_eq(status, 1)
        check("not Debian" in out and "libyaml-dev" in out and "WEIR_NO_SETUP" in out, out)


@test
def says_what_is_missing_where_there_is_neither_root_nor_sudo():
    with Machine(id=NOBODY, dpkg_query=NOTHING_INSTALLED) as m:
        status, out = m.setup("build")
        check_eq(status, 1)
        check("neither root" in out and "libyaml-dev" in out, out)


@test
def says_what_is_missing_where_sudo_is_refused():
    with Machine(id=NOBODY, dpkg_query=NOTHING_INSTALLED, sudo="#!/bin/sh\nexit 1\n") as m:
        status, out = m.setup("build")
        check_eq(status, 1)
        check("sudo was refused" in out and "libyaml-dev" in out, out)


@test
def shows_the_end_of_what_apt_said_when_it_fails():
    apt = "#!/bin/sh\necho 'E: no route to the mirror'\nexit 100\n"
    with Machine(id=ROOT, dpkg_query=NOTHING_INSTALLED, apt_get=apt) as m:
        status, out = m.setup("build")
        check_eq(status, 1)
        check("no route to the mirror" in out and "libyaml-dev" in out, out)
        check(not os.path.exists(m.guard), "the guard was left behind")


@test
def installs_only_what_is_missing_and_no_daemon_may_start_meanwhile():
    have = "#!/bin/sh\nshift 3\nfor p; do [ $p = libyaml-dev ] || printf 'installed:%s ' $p; done\n"
    apt = '#!/bin/sh\necho "$@" >>$DIR/calls\n$DIR/policy-rc.d; echo "guard $?" >>$DIR/calls\n'
    with Machine(id=ROOT, dpkg_query=have, apt_get=apt) as m:
        check_eq(m.setup("build"), (0, "tools/setup: installing libyaml-dev\n"))
        with open(os.path.join(m.dir, "calls")) as f:
            update, guard1, install, guard2 = f.read().splitlines()
        check(update.endswith(" update"), update)
        check(install.endswith(" install --no-install-recommends -y libyaml-dev"), install)
        check_eq((guard1, guard2), ("guard 101", "guard 101"))
        check(not os.path.exists(m.guard), "the guard was left behind")


@test
def build_trees_are_configured_anew_after_an_installation():
    with Machine(id=ROOT, dpkg_query=NOTHING_INSTALLED, apt_get="#!/bin/sh\n") as m:
        stamp = os.path.join(m.dir, "build-asan", ".weir-tree")
        os.mkdir(os.path.dirname(stamp))
        m.put(stamp, "gcc\n")
        check_eq(m.setup("build")[0], 0)
        check(not os.path.exists(stamp), "the tree keeps what was found without the new packages")


@test
def a_guard_that_was_there_is_put_back():
    with Machine(id=ROOT, dpkg_query=NOTHING_INSTALLED, apt_get="#!/bin/sh\n") as m:
        m.put(m.guard, "#!/bin/sh\n# the owner's\nexit 0\n")
        check_eq(m.setup("build")[0], 0)
        with open(m.guard) as f:
            check("the owner's" in f.read(), "another file is in its place")
        check(not os.path.exists(m.guard + ".weir-saved"), "the copy was left behind")


@test
def an_interrupted_run_leaves_no_guard():
    # The stand-in says on a fifo that it runs and then waits on another one to be ended.
    apt = "#!/bin/sh\necho up >$DIR/up\nread x <$DIR/never\n"
    with Machine(id=ROOT, dpkg_query=NOTHING_INSTALLED, apt_get=apt) as m:
        for fifo in ("up", "never"):
            os.mkfifo(os.path.join(m.dir, fifo))
        p = m.start("build")
        with open(os.path.join(m.dir, "up")) as f:
            check_eq(f.read(), "up\n")
        check(os.path.exists(m.guard), "no guard while apt-get runs")
        p.send_signal(signal.SIGTERM)
        with open(os.path.join(m.dir, "never"), "w") as f:
            f.write("go\n")  # a shell runs its trap when its child has ended
        p.communicate(timeout=30)
        check_eq(p.returncode, 143)
        check(not os.path.exists(m.guard), "the guard was left behind")


@test
def a_guard_left_by_a_killed_run_is_removed():
    with Machine(id=ROOT, dpkg_query=NOTHING_INSTALLED, apt_get="#!/bin/sh\n") as m:
        m.put(m.guard, "#!/bin/sh\n# by weir tools/setup\nexit 101\n")
        m.put(m.guard + ".weir-saved", "#!/bin/sh\n# the owner's\nexit 0\n")
        check_eq(m.setup("build")[0], 0)
        with open(m.guard) as f:
            check("the owner's" in f.read(), "the owner's was not put back")


@test
def an_unknown_group_is_refused():
    with Machine(id=ROOT) as m:
        status, out = m.setup("biuld")
        check_eq(status, 2)
        check("'biuld'" in out, out)


if __name__ == "__main__":
    run()
