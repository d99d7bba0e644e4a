"""An HTTPS receiver of webhooks. usage: receiver.py PORT CERTIFICATE KEY DIRECTORY

Answers with the status in DIRECTORY/answer (`302 URL` redirects, `die` closes without an answer), and
appends what it got to DIRECTORY/received, a JSON object per line: path, headers, body.
"""
import http.server
import json
import pathlib
import ssl
import sys

port, certificate, key, directory = int(sys.argv[1]), sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4])


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        got = {"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body}
        with open(directory / "received", "a") as file:
            file.write(json.dumps(got) + "\n")
        status, _, location = (directory / "answer").read_text().strip().partition(" ")
        if status == "die":
            self.close_connection = True
            return
        self.send_response(int(status))
        if location:
            self.send_header("location", location)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
