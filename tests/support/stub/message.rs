//! What a stub reads and what it is told to do with it.

use std::io::{self, BufRead};
use std::time::Duration;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET`, `POST`, …
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The whole body.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The first header of that (lower-case) name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What to do with a request.
pub(crate) enum Reply {
    /// A whole answer.
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// Nothing, with the connection open.
    Hang,
    /// A whole answer of status 200, one byte of its body at a time.
    Drip { body: Vec<u8>, every: Duration },
    /// The head promises `length` bytes, then only `body` comes and the connection closes.
    Cut { length: usize, body: Vec<u8> },
    /// Status 200 and chunks of spaces without end.
    Endless,
    /// These bytes, and the connection closes.
    Raw(Vec<u8>),
}

impl Reply {
    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::text(status, "application/json", &body.to_string())
    }

    /// An answer of any content type.
    pub(crate) fn text(status: u16, kind: &str, body: &str) -> Self {
        Self::Answer {
            status,
            headers: vec![("Content-Type".to_owned(), kind.to_owned())],
            body: body.into(),
        }
    }

    /// The same answer with one more header; only for `Answer`.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        let Self::Answer {
            status,
            mut headers,
            body,
        } = self
        else {
            panic!("only an answer has headers to add to");
        };
        headers.push((name.to_owned(), value.to_owned()));
        Self::Answer {
            status,
            headers,
            body,
        }
    }
}

pub(super) fn head(status: u16, headers: &[(String, String)], length: usize) -> String {
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("HTTP/1.1 {status} Stub\r\n{lines}Content-Length: {length}\r\n\r\n")
}

/// `None` when the client has closed the connection between two requests.
pub(in crate::support) fn read_request(stream: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = words
        .next()
        .zip(words.next())
        .ok_or(io::ErrorKind::InvalidData)?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.split_once(':') {
            Some((name, value)) => {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()))
            }
            None => break,
        }
    }
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok(Some(Request {
        method,
        path,
        headers,
        body,
    }))
}
