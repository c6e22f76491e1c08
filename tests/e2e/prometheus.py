"""prometheus.py - a real Prometheus as a child of the test."""
import contextlib
import json
import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from kit import Program, free_port
from tap import check, skip


class Prometheus(Program):
    """Scrapes each of {job: address} every second. `rules`: the text of a file of rules, evaluated every second too.
    `native`: with native histograms, so it asks for protobuf."""

    def __init__(self, jobs, rules=None, native=True):
        binary = shutil.which("prometheus") or skip("no prometheus: install Debian's package prometheus")
        self.dir = tempfile.mkdtemp(prefix="weir-prometheus-")
        self.address = f"127.0.0.1:{free_port()}"
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                  "rule_files": ["rules.yaml"] if rules else [],
                  "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [address]}]}
                                     for job, address in jobs.items()]}
        with open(os.path.join(self.dir, "prometheus.yaml"), "w") as f:
            json.dump(config, f)
        with open(os.path.join(self.dir, "rules.yaml"), "w") as f:
            f.write(rules or "")
        super().__init__([binary, f"--config.file={self.dir}/prometheus.yaml", f"--storage.tsdb.path={self.dir}/data",
                          f"--web.listen-address={self.address}",
                          *["--enable-feature=native-histograms"] * native], "prometheus")

    def ask(self, what, **query):
        url = f"http://{self.address}/api/v1/{what}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as r:
                return json.load(r)["data"]
        except urllib.error.HTTPError as e:
            if e.code == 503:  # not ready yet
                raise AssertionError(e) from None
            raise RuntimeError(f"{query}: {e.read().decode()}") from None
        except urllib.error.URLError as e:
            raise AssertionError(f"{e}: {self.stderr()[-2000:]}") from None

    def value(self, query):
        """The value of the only sample of an answer; None where there is none."""
        found = self.ask("query", query=query)["result"]
        check(len(found) <= 1, f"{query}: {found}")
        return float(found[0]["value"][1]) if found else None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print(self.stderr()[-4000:], file=sys.stderr)
        with contextlib.suppress(OSError):
            self.process.terminate()
            self.process.wait(20)
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)
