"""Encrypted connections: certificates of servers and clients, what is refused, and certificates that are changed while
the server runs.

    Tests/Drivers/tls.py MARTLET
"""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from servers import Martlet, cleaning_up, temporary_directory, wait_until

PASSWORD = "tls-S3cret"
CLIENT = "CN=client,OU=Drivers,O=Martlet"


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def openssl(directory, *arguments):
    done = subprocess.run(["openssl", *arguments], cwd=directory, capture_output=True, text=True)
    check(done.returncode == 0, f"openssl {arguments[0]}: {done.stderr}")


def make_authority(directory, name):
    openssl(directory, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/O=Martlet/CN={name}")


def make_certificate(directory, name, authority, subject, serial):
    """`NAME.key`, `NAME.crt`, and both in `NAME.pem`."""
    openssl(directory, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
    with open(os.path.join(directory, f"{name}.ext"), "w") as file:
        file.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl(directory, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
            "-set_serial", str(serial), "-days", "30", "-extfile", f"{name}.ext", "-out", f"{name}.crt")
    with open(os.path.join(directory, f"{name}.pem"), "w") as both:
        for part in (f"{name}.crt", f"{name}.key"):
            with open(os.path.join(directory, part)) as file:
                both.write(file.read())


def connect(server, files, **options):
    return MongoClient("127.0.0.1", server.port, directConnection=True, serverSelectionTimeoutMS=5_000, tls=True,
                       tlsCAFile=os.path.join(files, "ca.pem"), **options)


def fails(call, code=None):
    try:
        call()
    except OperationFailure as error:
        return code is None or error.code == code
    except PyMongoError:
        return code is None
    return False


def serial_of(server, files):
    context = ssl.create_default_context(cafile=os.path.join(files, "ca.pem"))
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as connection:
            return int(connection.getpeercert()["serialNumber"], 16)


def check_encryption(server, files):
    with connect(server, files) as client:
        client.admin.command({"createUser": "root", "pwd": PASSWORD, "roles": ["root"]})
    with connect(server, files, username="root", password=PASSWORD) as root:
        root.app.c.insert_many([{"_id": i, "text": "x" * 10_000} for i in range(500)])
        check(sum(1 for _ in root.app.c.find().batch_size(50)) == 500, "large replies")
        root.admin.command({"createUser": "plain", "pwd": PASSWORD, "roles": ["read"]})
    for mechanism in ["PLAIN", "SCRAM-SHA-256"]:
        with connect(server, files, username="plain", password=PASSWORD, authSource="admin",
                     authMechanism=mechanism) as client:
            check(client.admin.command("connectionStatus")["authInfo"]["authenticatedUsers"], mechanism)
        with connect(server, files, username="plain", password="wrong", authSource="admin",
                     authMechanism=mechanism) as client:
            check(fails(lambda: client.app.c.find_one(), 18), f"a wrong password by {mechanism}")
    with MongoClient("127.0.0.1", server.port, directConnection=True, serverSelectionTimeoutMS=1_000) as client:
        check(fails(lambda: client.admin.command("ping")), "a client that does not encrypt")
    with MongoClient("127.0.0.1", server.port, directConnection=True, serverSelectionTimeoutMS=1_000, tls=True,
                     tlsCAFile=os.path.join(files, "other.pem")) as client:
        check(fails(lambda: client.admin.command("ping")), "a client that trusts others")


def check_tools(binary, server, files):
    uri = f"{server.uri}?tls=true&tlsCAFile={files}/ca.pem"
    done = subprocess.run([binary, "ping", "--uri", uri], capture_output=True, text=True)
    check(done.returncode == 0, f"ping: {done.stderr}")
    done = subprocess.run([binary, "ping", "--timeout", "2", "--uri", server.uri], capture_output=True, text=True)
    check(done.returncode != 0, "ping without TLS")


def check_versions(server):
    for version, works in [(ssl.TLSVersion.TLSv1_2, False), (ssl.TLSVersion.TLSv1_3, True)]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = version
        try:
            with socket.create_connection(("127.0.0.1", server.port)) as raw:
                context.wrap_socket(raw).close()
            check(works, f"{version} is accepted")
        except ssl.SSLError:
            check(not works, f"{version} is refused")


def check_garbage(server):
    """What is no handshake, and handshakes that stop."""
    half = []
    for payload in [b"", b"\x16\x03\x01\x00\x05hello", b"GET / HTTP/1.1\r\n\r\n", os.urandom(4_096)]:
        raw = socket.create_connection(("127.0.0.1", server.port))
        raw.sendall(payload)
        half.append(raw)
    return half


def check_reload(server, files):
    check(serial_of(server, files) == 1, "the first certificate")
    with connect(server, files) as old:
        old.admin.command("ping")
        make_certificate(files, "server", "ca", "/O=Martlet/CN=localhost", 7)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: serial_of(server, files) == 7, 10, "the new certificate")
        old.admin.command("ping")
        with open(os.path.join(files, "server.crt"), "w") as file:
            file.write("nonsense")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "cannot be read again" in open(server.log_path).read(), 10, "the refusal in the log")
        check(serial_of(server, files) == 7, "a certificate that is none changes nothing")
    make_certificate(files, "server", "ca", "/O=Martlet/CN=localhost", 8)


def check_client_certificates(server, files):
    with connect(server, files) as client:
        check(fails(lambda: client.admin.command("ping")), "a client without a certificate")
    with connect(server, files, tlsCertificateKeyFile=os.path.join(files, "stranger.pem")) as client:
        check(fails(lambda: client.admin.command("ping")), "a certificate of another authority")
    own = {"tlsCertificateKeyFile": os.path.join(files, "client.pem")}
    with connect(server, files, authMechanism="MONGODB-X509", **own) as client:
        check(fails(lambda: client.app.c.find_one(), 18), "a certificate whose user is not there")
    with connect(server, files, username="root", password=PASSWORD, **own) as root:
        root["$external"].command({"createUser": CLIENT, "roles": [{"role": "read", "db": "app"}]})
    with connect(server, files, authMechanism="MONGODB-X509", **own) as client:
        check(client.app.c.find_one({"_id": 1}), "a login by certificate")
        users = client.admin.command("connectionStatus")["authInfo"]["authenticatedUsers"]
        check(users == [{"user": CLIENT, "db": "$external"}], f"{users}")
        check(fails(lambda: client.app.c.insert_one({}), 13), "no more than its role")
    with connect(server, files, authMechanism="MONGODB-X509", username="CN=root", **own) as client:
        check(fails(lambda: client.app.c.find_one(), 18), "the name of another")


def main():
    binary = sys.argv[1]
    directory = temporary_directory()
    files = temporary_directory()
    try:
        make_authority(files, "ca")
        make_authority(files, "other")
        make_certificate(files, "server", "ca", "/O=Martlet/CN=localhost", 1)
        make_certificate(files, "client", "ca", "/O=Martlet/OU=Drivers/CN=client", 2)
        make_certificate(files, "stranger", "other", "/O=Martlet/OU=Drivers/CN=client", 3)
        tls = ["--auth", "--tls-certificate", f"{files}/server.crt", "--tls-key", f"{files}/server.key"]
        first = Martlet(binary, directory, options=tls)
        second = Martlet(binary, directory, options=[
            *tls, "--tls-client-ca", f"{files}/ca.pem", "--tls-minimum-version", "1.3"])
        with cleaning_up([first, second]):
            first.start()
            half = check_garbage(first)
            check_encryption(first, files)
            check_tools(binary, first, files)
            check_reload(first, files)
            check(PASSWORD not in open(first.log_path).read(), "a password in the log")
            for raw in half:
                raw.close()
            first.stop()
            second.start()
            check_versions(second)
            check_client_certificates(second, files)
            second.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(files, ignore_errors=True)
    print("ok - tls")


main()
