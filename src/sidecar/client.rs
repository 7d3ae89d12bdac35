//! Asking a running sidecar: `keyferry ready` for probes, `keyferry status` for people.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::listen::Listen;
use crate::base::failure::{Class, Failure};
use crate::base::plain;

const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(5);
const LARGEST: u64 = 4 << 20;

/// Whether everything was delivered: the lines of `/readyz`.
pub fn ready(address: Listen) -> Result<String, Failure> {
    let (status, body) = get(address, "/readyz")?;
    // Whatever listens there may have said it.
    let body = plain::lines(&body).into_owned();
    if status == 200 {
        return Ok(body);
    }
    let line = body.trim_end().replace('\n', "; ");
    Err(Failure::new(Class::Unavailable, line).hint("`keyferry status` shows more"))
}

/// How everything stands, as a table.
pub fn status(address: Listen) -> Result<String, Failure> {
    let (_, body) = get(address, "/status")?;
    let status: Value = serde_json::from_str(&body)
        .map_err(|_| Failure::new(Class::Unavailable, format!("{address} is no keyferry")))?;
    Ok(table(&status))
}

fn table(status: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let seconds = |value: &Value| value.as_u64().map_or("-".to_owned(), span);
    let mut rows = vec![
        [
            "delivery", "ready", "age", "lease", "changes", "failures", "why",
        ]
        .map(str::to_owned),
    ];
    for delivery in status["deliveries"].as_array().into_iter().flatten() {
        let why = match (&delivery["reason"], &delivery["failure"]) {
            (Value::Null, Value::Null) => text(&delivery["waiting"]["text"]),
            (Value::Null, failure) => {
                format!("{}: {}", text(&failure["class"]), text(&failure["what"]))
            }
            (reason, _) => text(reason),
        };
        rows.push([
            text(&delivery["name"]),
            if delivery["ready"] == true {
                "yes"
            } else {
                "no"
            }
            .to_owned(),
            seconds(&delivery["ageSeconds"]),
            seconds(&delivery["leaseSeconds"]),
            delivery["changes"].to_string(),
            delivery["failures"].to_string(),
            why,
        ]);
    }
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    // One that only reflects has no deliveries to show.
    let shown = if rows.len() > 1 { rows } else { Vec::new() };
    for row in shown {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(out, "{}", plain::line(line.trim_end()));
    }
    for delivery in status["deliveries"].as_array().into_iter().flatten() {
        made(&mut out, delivery);
    }
    if let Some(line) = status["reflector"]["text"].as_str() {
        let _ = writeln!(out, "{}", plain::line(line));
    }
    if let Some(why) = status["configuration"].as_str() {
        let _ = writeln!(
            out,
            "the configuration on disk is refused, the old one is in use: {}",
            plain::line(why)
        );
    }
    out
}

/// Which sources feed the Secrets of a delivery.
fn made(out: &mut String, delivery: &Value) {
    let secrets = &delivery["secrets"];
    let (Some(count), Some(names)) = (secrets["count"].as_u64(), secrets["names"].as_array())
    else {
        return;
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut shown: Vec<String> = names.iter().take(3).map(text).collect();
    if let Some(more) = count.checked_sub(3).filter(|more| *more > 0) {
        shown.push(format!("{more} more"));
    }
    let sources = text(&secrets["text"]);
    let from = if sources.is_empty() {
        "the configuration alone"
    } else {
        &sources
    };
    let name = text(&delivery["name"]);
    let _ = writeln!(out, "{name}: secret {} from {from}", shown.join(", "));
}

/// `42s`, `3m`, `5h`, `2d`.
fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
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
    fn the_table_says_why() {
        let status = serde_json::json!({"configuration": null, "deliveries": [
            {"name": "a", "ready": true, "reason": null, "ageSeconds": 5, "leaseSeconds": 7300, "changes": 1, "failures": 0, "failure": null,
             "secrets": {"count": 5, "names": ["n/a", "n/b", "n/c", "n/d"], "text": "vault kv/a, at or after version 7"}},
            {"name": "ant", "ready": true, "reason": null, "ageSeconds": 9, "leaseSeconds": null, "changes": 1, "failures": 0, "failure": null, "waiting": {"text": "a change waits"}},
            {"name": "bee", "ready": false, "reason": "not delivered yet", "ageSeconds": null, "leaseSeconds": null, "changes": 0, "failures": 2, "failure": null},
        ]});
        let want = "delivery  ready  age  lease  changes  failures  why\na         yes    5s   2h     1        0\nant       yes    9s   -      1        0         a change waits\nbee       no     -    -      0        2         not delivered yet\na: secret n/a, n/b, n/c, 2 more from vault kv/a, at or after version 7\n";
        assert_eq!(table(&status), want);
        let reflects = serde_json::json!({"deliveries": [], "reflector": {"ready": true, "text": "reflector: ok, 1 of 1 copies, 0 held deletions"}});
        assert_eq!(
            table(&reflects),
            "reflector: ok, 1 of 1 copies, 0 held deletions\n"
        );
    }
}
