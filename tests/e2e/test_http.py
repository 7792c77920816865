"""A web server behind the tunnel: nginx and curl, 100 MB both ways by SHA-256, twenty at once, plain and encrypted."""

import hashlib
import os
import random
import subprocess

from harness import TunnelTest, full_size, main, patience, run, tool
from harness.process import wrapped
from harness.programs import start_nginx

SIZE = (100 if full_size() else 20) * 1_000_000
AT_ONCE = 20
SIZE_AT_ONCE = (100 if full_size() else 4) * 1_000_000


def make_file(path: str, size: int, seed: int) -> str:
    """Random bytes; returns their SHA-256."""
    source, digest = random.Random(seed), hashlib.sha256()
    with open(path, "wb") as file:
        for start in range(0, size, 1_000_000):
            block = source.randbytes(min(1_000_000, size - start))
            file.write(block)
            digest.update(block)
    return digest.hexdigest()


def digest_of(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Http(TunnelTest):
    def setUp(self):
        super().setUp()
        self.curl = tool("curl")
        self.root = self.make_folder("www")
        self.seed = random.SystemRandom().randrange(1 << 32)
        print(f"seed {self.seed}", flush=True)
        _, self.web_port = start_nginx(self, self.root)
        self.both = self.tunnel()

    def url(self, port: int, name: str) -> str:
        return f"http://127.0.0.1:{port}/{name}"

    def round(self, encrypt: bool) -> None:
        digest = make_file(os.path.join(self.root, "big.bin"), SIZE, self.seed)
        port = self.both.map("web", self.web_port, encrypt=encrypt)
        got, put = self.path("got.bin"), os.path.join(self.root, "put.bin")
        done = run([self.curl, "-sS", "--fail", "-o", got, self.url(port, "big.bin")], deadline=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(digest_of(got), digest)
        done = run([self.curl, "-sS", "--fail", "-T", got, self.url(port, "put.bin")], deadline=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(digest_of(put), digest)

    def test_both_directions_encrypted(self):
        self.round(encrypt=True)

    def test_both_directions_plain(self):
        self.round(encrypt=False)

    def many(self, encrypt: bool) -> None:
        digest = make_file(os.path.join(self.root, "each.bin"), SIZE_AT_ONCE, self.seed)
        port = self.both.map("web", self.web_port, encrypt=encrypt)
        script = f"set -o pipefail; '{self.curl}' -sS --fail '{self.url(port, 'each.bin')}' | sha256sum"
        downloads = [subprocess.Popen(wrapped(["bash", "-c", script]), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                     for _ in range(AT_ONCE)]
        try:
            for download in downloads:
                out, errors = download.communicate(timeout=200 * patience())
                self.assertEqual(download.returncode, 0, errors)
                self.assertEqual(out.split()[0], digest)
        finally:
            for download in downloads:
                download.kill()
                download.communicate()

    def test_twenty_downloads_at_once_encrypted(self):
        self.many(encrypt=True)

    def test_twenty_downloads_at_once_plain(self):
        self.many(encrypt=False)

    def test_twenty_uploads_at_once(self):
        digest = make_file(self.path("up.bin"), SIZE_AT_ONCE // 4, self.seed)
        for encrypt in (True, False):
            port = self.both.map(f"web-{encrypt}", self.web_port, encrypt=encrypt)
            uploads = [subprocess.Popen(wrapped([self.curl, "-sS", "--fail", "-T", self.path("up.bin"),
                                                 self.url(port, f"up-{encrypt}-{number}.bin")]),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                       for number in range(AT_ONCE)]
            try:
                for number, upload in enumerate(uploads):
                    _, errors = upload.communicate(timeout=200 * patience())
                    self.assertEqual(upload.returncode, 0, errors)
                    self.assertEqual(digest_of(os.path.join(self.root, f"up-{encrypt}-{number}.bin")), digest)
            finally:
                for upload in uploads:
                    upload.kill()
                    upload.communicate()

    def test_many_requests_on_one_connection(self):
        digest = make_file(os.path.join(self.root, "small.bin"), 10_000, self.seed)
        port = self.both.map("web", self.web_port)
        url = self.url(port, "small.bin")
        done = run([self.curl, "-sS", "--fail", *[part for _ in range(200) for part in ("-o", self.path("small.out"), url)],
                    "-w", "%{num_connects}\n"], deadline=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sum(map(int, done.stdout.split())), 1, "one connection for all requests")
        self.assertEqual(digest_of(self.path("small.out")), digest)


if __name__ == "__main__":
    main()
