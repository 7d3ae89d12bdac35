//! Asks a running sidecar: `keyferry ready` for probes, `keyferry status` for people.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::listen::Listen;
use super::status::{DeliveryStatus, Status, span};
use crate::base::failure::{Class, Failure};
use crate::base::printable;
use crate::base::style::Format;

const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(5);
const LARGEST: u64 = 4 << 20;

/// Whether everything was delivered: the lines of `/readyz`.
pub fn ready(address: Listen) -> Result<String, Failure> {
    let (status, body) = get(address, "/readyz")?;
    // Any program may listen at this address, so its answer is not trusted.
    let body = printable::lines(&body).into_owned();
    if status == 200 {
        return Ok(body);
    }
    let line = body.trim_end().replace('\n', "; ");
    Err(Failure::new(Class::Unavailable, line).hint("`keyferry status` shows more"))
}

/// The status of everything.
pub fn status(address: Listen, format: Format) -> Result<String, Failure> {
    let (_, body) = get(address, "/status")?;
    let status: Status = serde_json::from_str(&body)
        .map_err(|_| Failure::new(Class::Unavailable, format!("{address} is no keyferry")))?;
    Ok(match format {
        Format::Text => table(&status),
        Format::Json => format!("{:#}\n", serde_json::json!(status)),
    })
}

/// How many Secrets of a delivery are named.
const NAMED: usize = 3;

fn table(status: &Status) -> String {
    let seconds = |value: Option<u64>| value.map_or("-".to_owned(), span);
    let mut rows = vec![
        [
            "delivery", "ready", "age", "lease", "changes", "failures", "why",
        ]
        .map(str::to_owned),
    ];
    for delivery in &status.deliveries {
        rows.push([
            delivery.name.clone(),
            if delivery.ready { "yes" } else { "no" }.to_owned(),
            seconds(delivery.age_seconds),
            seconds(delivery.lease_seconds),
            delivery.changes.to_string(),
            delivery.failures.to_string(),
            delivery.why(),
        ]);
    }
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    // A process that only reflects has no deliveries to show.
    let shown = if rows.len() > 1 { rows } else { Vec::new() };
    for row in shown {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(out, "{}", printable::line(line.trim_end()));
    }
    for delivery in &status.deliveries {
        route(&mut out, delivery);
    }
    if let Some(reflector) = &status.reflector {
        let _ = writeln!(out, "{}", printable::line(&reflector.text));
    }
    if let Some(why) = &status.configuration {
        let _ = writeln!(
            out,
            "the configuration on disk is refused, the old one is in use: {}",
            printable::line(why)
        );
    }
    out
}

/// The targets of a delivery, and its sources.
fn route(out: &mut String, delivery: &DeliveryStatus) {
    let (to, from) = (delivery.goes_to(NAMED), delivery.comes_from());
    if to.is_empty() && from.is_empty() {
        // An older keyferry does not send it.
        return;
    }
    let or = |texts: Vec<String>, separator: &str, none: &str| match texts.is_empty() {
        true => none.to_owned(),
        false => texts.join(separator),
    };
    let to = or(to, ", ", "not read yet");
    let from = or(from, "; ", "the configuration alone");
    let line = format!("{}: {to} from {from}", delivery.name);
    let _ = writeln!(out, "{}", printable::line(&line));
}

fn get(address: Listen, path: &str) -> Result<(u16, String), Failure> {
    let mut answer = Err(std::io::Error::from(std::io::ErrorKind::AddrNotAvailable));
    for at in address.reached() {
        if answer.is_err() {
            answer = exchange(at, path);
        }
    }
    let answer = answer.map_err(|error| {
        Failure::new(
            Class::Unavailable,
            format!("no keyferry answers at {address}: {error}"),
        )
        .hint("start `keyferry sidecar`, or give its address with --listen")
    })?;
    let strange = || Failure::new(Class::Unavailable, format!("{address} is no keyferry"));
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(strange)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((status.ok_or_else(strange)?, body.to_owned()))
}

fn exchange(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECT)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(LARGEST).read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_why_and_what_goes_where() {
        let status = serde_json::json!({"configuration": null, "deliveries": [
            {"name": "a", "ready": true, "reason": null, "ageSeconds": 5, "leaseSeconds": 7300, "changes": 1, "failures": 0, "failure": null,
             "sources": [{"kind": "vault", "name": "kv/a"}], "targets": [{"kind": "file", "name": "a.env"}, {"kind": "secret", "name": "n/a"}],
             "secrets": {"count": 5, "names": ["n/a", "n/b", "n/c", "n/d"], "sources": [{"source": "vault kv/a", "version": "7"}], "text": "vault kv/a, at or after version 7"}},
            {"name": "ant", "ready": true, "reason": null, "ageSeconds": 9, "leaseSeconds": null, "changes": 1, "failures": 0, "failure": null, "waiting": {"text": "a change waits"},
             "sources": [], "targets": [{"kind": "file", "name": "ant.env"}]},
            {"name": "bee", "ready": false, "reason": "not delivered yet", "ageSeconds": null, "leaseSeconds": null, "changes": 0, "failures": 2, "failure": null,
             "sources": [{"kind": "vault", "name": "kv/b"}, {"kind": "age file", "name": "b\u{202e}.age"}], "targets": [{"kind": "secret", "name": "bee"}]},
            {"name": "old", "ready": true},
        ]});
        let want = "delivery  ready  age  lease  changes  failures  why\n\
            a         yes    5s   2h     1        0\n\
            ant       yes    9s   -      1        0         a change waits\n\
            bee       no     -    -      0        2         not delivered yet\n\
            old       yes    -    -      0        0\n\
            a: file a.env, secret n/a, secret n/b, secret n/c, 2 more from vault kv/a, at or after version 7\n\
            ant: file ant.env from the configuration alone\n\
            bee: secret bee from vault kv/b; age file b\\u202e.age\n";
        let status: Status = serde_json::from_value(status).expect("a status");
        assert_eq!(table(&status), want);
        let reflects = serde_json::json!({"deliveries": [], "reflector": {"ready": true, "text": "reflector: ok, 1 of 1 copies, 0 held deletions"}});
        let reflects: Status = serde_json::from_value(reflects).expect("a status");
        assert_eq!(
            table(&reflects),
            "reflector: ok, 1 of 1 copies, 0 held deletions\n"
        );
    }
}
