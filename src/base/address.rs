//! Addresses as URLs spell them.

use std::net::IpAddr;

use http::Uri;

/// Whether the host of a URL is this machine: data sent to it passes no network.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether the URI is scheme, host and port, and nothing else.
pub(crate) fn is_bare(uri: &Uri) -> bool {
    let named = uri.authority().is_some_and(|at| at.as_str().contains('@'));
    !named && matches!(uri.path(), "" | "/") && uri.query().is_none()
}

/// Whether nobody on the way can read data that is sent there: over TLS, or to this machine.
pub(crate) fn is_private(uri: &Uri) -> bool {
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(host)) => is_loopback(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn this_machine_has_several_names() {
        for (host, ours) in [
            ("localhost", true),
            ("127.0.0.1", true),
            ("127.8.9.1", true),
            ("[::1]", true),
            ("::1", true),
            ("localhost.example.org", false),
            ("10.0.0.1", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(host), ours, "{host}");
        }
    }
}
