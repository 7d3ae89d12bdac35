//! A server behind which packets vanish: a connection is given up in time and tried again.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use tokio::net::TcpSocket;

use crate::support::run::keyferry;

/// Connections that fill a queue of one, so that the kernel drops what else comes. Nobody ever
/// accepts.
struct Blackhole {
    address: SocketAddr,
    _listener: tokio::net::TcpListener,
    _queued: Vec<TcpStream>,
}

impl Blackhole {
    fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .bind((Ipv4Addr::LOCALHOST, 0).into())
            .expect("a port");
        let listener = socket.listen(0).expect("it listens");
        let address = listener.local_addr().expect("bound");
        let brief = Duration::from_millis(300);
        let connect = |_| TcpStream::connect_timeout(&address, brief).ok();
        let queued: Vec<TcpStream> = (0..8).map_while(connect).collect();
        assert!(queued.len() < 8, "the queue is full");
        Self {
            address,
            _listener: listener,
            _queued: queued,
        }
    }
}

#[tokio::test]
async fn row_11_a_connection_that_is_swallowed_is_given_up_after_ten_seconds() {
    let hole = Blackhole::new();
    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::write(dir.path().join("token"), "hvs.canary").expect("written");
    fs::write(
        dir.path().join("keyferry.yaml"),
        format!("vault: {{address: 'http://{}', auth: {{token: {{file: token}}}}}}\ndeliveries:\n  - {{name: a, from: [{{vault: kv/a}}], to: [{{file: {{path: a.env}}}}]}}\n", hole.address),
    )
    .expect("written");
    let output = keyferry()
        .dir(dir.path())
        .args(["job", "--deadline", "23s", "--log", "debug"])
        .run()
        .expect(7);
    let given_up: Vec<u64> = output
        .stderr
        .lines()
        .filter_map(|line| {
            line.split_once("took_ms=")?
                .1
                .split(' ')
                .next()?
                .parse()
                .ok()
        })
        .collect();
    let limit = 9_900..11_000;
    let at_limit = given_up.iter().filter(|took| limit.contains(*took)).count();
    assert!(at_limit == 2, "{given_up:?}: {}", output.stderr);
    assert!(output.elapsed < Duration::from_secs(30));
    assert!(
        output.stderr.contains("cannot connect"),
        "{}",
        output.stderr
    );
}
