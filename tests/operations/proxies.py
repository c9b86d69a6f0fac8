"""nginx and Caddy in front of web hosts, with the very files of docs/proxy, where Debian's packages are.

Only addresses, ports and where a certificate comes from are changed, or given beside the file.
"""

import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import httpx

from papertrade.stack.embedded.process import free_port
from tests.stack.server import PROJECT, wait_until

FILES = PROJECT / "docs" / "proxy"
PATHS = f"{os.environ.get('PATH', '')}:/usr/sbin"

AROUND_NGINX = """
{user}worker_processes 1;
daemon off;
pid {folder}/pid;
error_log {folder}/log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/papertrade.conf;
}}
"""
AROUND_CADDY = """
{{
	admin off
	auto_https disable_redirects
	skip_install_trust
	default_bind 127.0.0.1
}}
import {file}
"""


class Proxy:
    """It runs until `stop`, and serves `https://localhost` at a port of its own; `trusting` is a client's TLS."""

    program: ClassVar[str]

    def __init__(self, folder: Path, hosts: Sequence[int]) -> None:
        """In front of web servers at these ports."""
        self.folder, self.port = folder, free_port()
        self.host = f"localhost:{self.port}"
        self.url = f"https://{self.host}"
        self.log = folder / "log"
        command, certificate, environment = self._prepare(hosts)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=log, stdout=log)
        self.trusting = ssl.create_default_context()
        self.trusting.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the certificates are made in a moment
        wait_until(lambda: self._serves(certificate), f"{self.program} serves")

    @classmethod
    def is_here(cls) -> bool:
        """Whether it is installed, and openssl, which makes certificates."""
        return all(shutil.which(program, path=PATHS) for program in (cls.program, "openssl"))

    def client(self, **transport: Any) -> httpx.Client:
        """A client of the hosts behind it; httpx's words for a connection, such as `local_address`."""
        return httpx.Client(
            base_url=self.url, transport=httpx.HTTPTransport(verify=self.trusting, **transport), timeout=60
        )

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)

    def _prepare(self, hosts: Sequence[int]) -> tuple[list[str], Path, dict[str, str]]:
        """The command, the certificate to trust, and what its environment has besides."""
        raise NotImplementedError

    def _serves(self, certificate: Path) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with suppress(OSError, httpx.TransportError):
            self.trusting.load_verify_locations(certificate)
            with self.client() as client:
                return client.get("/healthz").status_code == 200
        return False

    def _program(self) -> str:
        return str(shutil.which(self.program, path=PATHS))


class Nginx(Proxy):
    """docs/proxy/nginx.conf within a configuration that keeps everything in a folder."""

    program = "nginx"

    def _prepare(self, hosts: Sequence[int]) -> tuple[list[str], Path, dict[str, str]]:
        key, certificate = self._certificate()
        text = (FILES / "nginx.conf").read_text()
        [like, *_] = re.findall(r"^ *server [\d.]+:8000( .+;)\n", text, re.MULTILINE)
        # The lines of the hosts become one, and then as many as there are.
        text = re.sub(r"(^ *server [\d.]+:8000 .+;\n)+", "HOSTS\n", text, flags=re.MULTILINE)
        for given, here in {
            "HOSTS\n": "".join(f"    server 127.0.0.1:{port}{like}\n" for port in hosts),
            "listen 80;": f"listen 127.0.0.1:{free_port()};",
            "listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl",
            "/etc/letsencrypt/live/paper.example.com/fullchain.pem": str(certificate),
            "/etc/letsencrypt/live/paper.example.com/privkey.pem": str(key),
        }.items():
            assert text.count(given) == 1, given
            text = text.replace(given, here)
        (self.folder / "papertrade.conf").write_text(text.replace("paper.example.com", "localhost"))
        whole = self.folder / "nginx.conf"
        whole.write_text(
            AROUND_NGINX.format(folder=self.folder, user="user root;\n" if os.geteuid() == 0 else "")
        )  # nobody else may enter the folder
        return [self._program(), "-c", str(whole)], certificate, {}

    def _certificate(self) -> tuple[Path, Path]:
        key, certificate = self.folder / "key.pem", self.folder / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", str(key), "-out", str(certificate)],
            check=True, capture_output=True,
        )  # fmt: skip
        return key, certificate


class Caddy(Proxy):
    """docs/proxy/Caddyfile with options of its own before it: a certificate of its own authority, no port of its own besides."""

    program = "caddy"

    def _prepare(self, hosts: Sequence[int]) -> tuple[list[str], Path, dict[str, str]]:
        whole = self.folder / "Caddyfile"
        whole.write_text(AROUND_CADDY.format(file=FILES / "Caddyfile"))
        environment = {
            "DOMAIN": self.url,
            "WEB_HOSTS": " ".join(f"127.0.0.1:{port}" for port in hosts),
            "HOME": str(self.folder),
            "XDG_DATA_HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder),
        }
        command = [self._program(), "run", "--config", str(whole), "--adapter", "caddyfile"]
        return command, self.folder / "caddy" / "pki" / "authorities" / "local" / "root.crt", environment


PROXIES: list[type[Proxy]] = [Nginx, Caddy]
