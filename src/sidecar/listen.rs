//! Where a sidecar answers, and to whom: its address, and the host names that requests may use.
//!
//! A page in somebody's browser can make its own name resolve to our address. Its requests then
//! have that name as `Host`, so only names that are known to be ours are answered.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};

use crate::base::failure::{Class, Failure};
use crate::kubernetes::pod::Pod;

/// Connections that the kernel queues until they are accepted.
const BACKLOG: u32 = 1024;

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// All addresses of the machine, of both families.
    Everywhere(u16),
    /// Only this address.
    At(SocketAddr),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = match text.strip_prefix(':') {
            Some(port) => port.parse().ok().map(Self::Everywhere),
            None => text.parse().ok().map(Self::At),
        };
        read.ok_or_else(|| {
            format!("`{text}` is no address; write 127.0.0.1:9733, [::1]:9733, or :9733 for all")
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere(port) => write!(f, ":{port}"),
            Self::At(address) => write!(f, "{address}"),
        }
    }
}

impl Listen {
    /// Opens the socket, or says why that is not possible.
    pub fn bind(self) -> Result<TcpListener, Failure> {
        let bound = match self {
            Self::At(address) => open(address),
            Self::Everywhere(port) => open((Ipv6Addr::UNSPECIFIED, port).into())
                // A machine without IPv6 has only the other family.
                .or_else(|_| open((Ipv4Addr::UNSPECIFIED, port).into())),
        };
        bound.map_err(|error| {
            Failure::new(Class::Usage, format!("cannot listen on {self}: {error}"))
                .hint("give another address with --listen; containers of a pod share their ports")
        })
    }

    /// The addresses to try on this machine, one after the other.
    pub fn reached(self) -> Vec<SocketAddr> {
        let (four, six) = (
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        );
        let (ips, port) = match self {
            Self::Everywhere(port) => (vec![four, six], port),
            Self::At(address) => match address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => (vec![four], address.port()),
                IpAddr::V6(ip) if ip.is_unspecified() => (vec![six, four], address.port()),
                ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => (vec![ip], address.port()),
            },
        };
        ips.into_iter().map(|ip| (ip, port).into()).collect()
    }
}

fn open(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if address.is_ipv6() && address.ip().is_unspecified() {
        // Both families, whatever the machine's default is.
        SockRef::from(&socket).set_only_v6(false)?;
    }
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The host names that requests may use, in addition to addresses and `localhost`.
#[derive(Debug, Default)]
pub struct Names(Vec<String>);

impl Names {
    /// The configured names, and the names of our own pod.
    pub fn new(configured: &[String]) -> Self {
        let pod = Pod::of_this_process().map(|pod| pod.name);
        Self(configured.iter().cloned().chain(pod).collect())
    }

    /// Whether a `Host` header names us.
    pub(super) fn has(&self, host: &str) -> bool {
        let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, port)) if address.parse::<Ipv6Addr>().is_ok() => ("", port),
            Some(_) => return false,
            None => match host.find(':') {
                Some(colon) => host.split_at(colon),
                None => (host, ""),
            },
        };
        let port = port.strip_prefix(':').unwrap_or(port);
        if !port.bytes().all(|digit| digit.is_ascii_digit()) {
            return false;
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        let known = || self.0.iter().any(|known| known.eq_ignore_ascii_case(name));
        host.starts_with('[')
            || name.parse::<Ipv4Addr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || known()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_asked_on_this_machine() {
        let rows = [
            (":8080", Some((":8080", "127.0.0.1:8080 [::1]:8080"))),
            ("127.0.0.1:1", Some(("127.0.0.1:1", "127.0.0.1:1"))),
            ("0.0.0.0:9", Some(("0.0.0.0:9", "127.0.0.1:9"))),
            ("[::]:9", Some(("[::]:9", "[::1]:9 127.0.0.1:9"))),
            ("8080", None),
            ("localhost:80", None),
            (":99999", None),
            ("", None),
        ];
        for (text, want) in rows {
            let read = text.parse::<Listen>().ok().map(|listen| {
                let reached = listen.reached().into_iter().map(|at| at.to_string());
                let reached: Vec<String> = reached.collect();
                (listen.to_string(), reached.join(" "))
            });
            let want = want.map(|(shown, reached)| (shown.to_owned(), reached.to_owned()));
            assert_eq!(read, want, "{text:?}");
        }
    }

    #[test]
    fn row_139_only_names_that_are_ours_are_answered() {
        let names = Names(vec!["app-0".to_owned(), "keyferry.platform.svc".to_owned()]);
        for (host, ours) in [
            ("127.0.0.1:9733", true),
            ("10.1.2.3", true),
            ("[::1]:9733", true),
            ("[fd00::7]", true),
            ("localhost:9733", true),
            ("LOCALHOST", true),
            ("app-0:9733", true),
            ("Keyferry.platform.svc.:9733", true),
            ("app-1:9733", false),
            ("app-0.attacker.example", false),
            ("127.0.0.1.attacker.example:9733", false),
            ("attacker.example:9733", false),
            ("localhost:9733@attacker.example", false),
            ("[attacker.example]:9733", false),
            ("[::1]attacker.example", false),
            ("", false),
        ] {
            assert_eq!(names.has(host), ours, "{host:?}");
        }
    }
}
