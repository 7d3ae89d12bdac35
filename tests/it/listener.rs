//! The listener: who says nothing holds up nobody, both families are answered, and only names that
//! are ours.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::process::{eventually, free_ports};
use crate::support::run::keyferry;
use crate::support::sidecar::SOON;

const CONFIG: &str = "deliveries: [{name: app, fields: {a: b}, to: [{file: {path: app.env}}]}]\n";

/// What is answered to a request with these headers; nothing when nobody answers.
fn ask(at: SocketAddr, headers: &str) -> Option<String> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(SOON)).unwrap();
    write!(stream, "GET /livez HTTP/1.1\r\n{headers}\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.lines().next().unwrap_or_default().to_owned())
}

#[test]
fn row_138_connections_on_which_nothing_is_said_hold_up_no_probe() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("keyferry.yaml"), CONFIG).unwrap();
    let [port] = free_ports();
    let listen = format!("127.0.0.1:{port}");
    let _going = keyferry()
        .dir(folder.path())
        .args(["sidecar", "--listen", &listen])
        .start();
    let at: SocketAddr = listen.parse().unwrap();
    eventually("it answers", SOON, || ask(at, "").is_some());
    // More than there are turns, and more than may wait at once; some say half of something.
    let mut idle: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(at).unwrap()).collect();
    for stream in idle.iter_mut().step_by(2) {
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n")
            .unwrap();
    }
    let begun = Instant::now();
    for _ in 0..3 {
        assert_eq!(
            ask(at, "Host: localhost\r\n").as_deref(),
            Some("HTTP/1.1 200 OK")
        );
    }
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    // They are closed, all of them, without a word.
    for mut stream in idle {
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut byte = [0];
        let read = stream.read(&mut byte);
        assert!(
            matches!(&read, Ok(0))
                || read
                    .as_ref()
                    .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset),
            "{read:?}"
        );
    }
}

#[test]
fn row_139_a_port_alone_means_all_addresses_of_both_families() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("keyferry.yaml"), CONFIG).unwrap();
    let [port] = free_ports();
    let _going = keyferry()
        .dir(folder.path())
        .args(["sidecar", "--listen", &format!(":{port}")])
        .start();
    let mut families: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into()];
    if Path::new("/proc/net/if_inet6").exists() {
        families.push(Ipv6Addr::LOCALHOST.into());
    }
    for ip in families {
        let at = SocketAddr::new(ip, port);
        eventually("it answers", SOON, || {
            ask(at, &format!("Host: {at}\r\n")).as_deref() == Some("HTTP/1.1 200 OK")
        });
        eventually("it is ready", SOON, || {
            let asked = keyferry().args(["ready", "--listen", &at.to_string()]);
            asked.run().stdout.contains("app: ok")
        });
    }
    keyferry()
        .args(["status", "--listen", &format!(":{port}")])
        .run()
        .expect(0);
}

#[test]
fn row_139_a_host_that_is_not_ours_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("keyferry.yaml"), CONFIG).unwrap();
    let [port] = free_ports();
    let _going = keyferry()
        .dir(folder.path())
        .env("POD_NAME", "app-0")
        .args([
            "sidecar",
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--allow-host",
            "keyferry.platform.svc",
        ])
        .start();
    let at = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
    eventually("it answers", SOON, || ask(at, "").is_some());
    for (host, want) in [
        ("127.0.0.1", "HTTP/1.1 200 OK"),
        ("localhost", "HTTP/1.1 200 OK"),
        ("app-0", "HTTP/1.1 200 OK"),
        ("keyferry.platform.svc", "HTTP/1.1 200 OK"),
        ("attacker.example", "HTTP/1.1 421 Misdirected Request"),
        ("app-1", "HTTP/1.1 421 Misdirected Request"),
    ] {
        let answer = ask(at, &format!("Host: {host}:{port}\r\n"));
        assert_eq!(answer.as_deref(), Some(want), "{host}");
    }
}
