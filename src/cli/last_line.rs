//! The end of a run: the last line on standard error, the message for Kubernetes, and the exit
//! code.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::arguments::{Common, LogFormat};
use super::errors;
use keyferry::base::printable;
use keyferry::mode::Ended;
use keyferry::pass::outcome::Failed;
use keyferry::process::progress::after_waiting;
use keyferry::process::stderr;

/// Reports the end of the run, on standard error and for Kubernetes; returns the exit code.
pub(crate) fn finish(ended: &Ended, common: &Common) -> ExitCode {
    if let (Ended::Failed(failed), LogFormat::Json) = (ended, common.log_format) {
        failed.others.iter().for_each(Failed::log);
    }
    let (text, code) = last_words(ended, common);
    stderr::write(text.as_bytes());
    ExitCode::from(code)
}

/// The text for standard error at the end, and the exit code. One line of the text is for
/// Kubernetes.
pub(crate) fn last_words(ended: &Ended, common: &Common) -> (String, u8) {
    let (line, code) = match ended {
        Ended::Well(line) => (line.clone(), 0),
        Ended::Differs(line) => (line.clone(), 10),
        Ended::Failed(failed) => (failed.line(), failed.failure.class.exit_code()),
        Ended::Signal(stop) => (after_waiting("stopped by a signal"), stop.exit_code()),
        Ended::Program(code) => (String::new(), *code),
    };
    if line.is_empty() {
        return (line, code);
    }
    let line = printable::line(&line);
    remember(&line, &common.termination_log);
    let well = code == 0 || code == 10;
    let text = match (common.log_format, ended) {
        (LogFormat::Json, _) => printable::line(&json_line(ended, &line, code)).into_owned() + "\n",
        (LogFormat::Text, Ended::Failed(failed)) => errors::all(failed, common.error_style()),
        (LogFormat::Text, _) if well && common.quiet => String::new(),
        (LogFormat::Text, _) if well => line.into_owned() + "\n",
        (LogFormat::Text, _) => errors::error(&line, common.error_style()),
    };
    (text, code)
}

fn json_line(ended: &Ended, line: &str, code: u8) -> String {
    let mut document = serde_json::json!({
        "message": line, "exit": code,
        "level": if code == 0 || code == 10 { "INFO" } else { "ERROR" },
    });
    if let Ended::Failed(Failed {
        delivery,
        target,
        failure,
        others,
    }) = ended
    {
        document["target"] = target.clone().into();
        document["more"] = others.len().into();
        document["class"] = failure.class.word().into();
        document["delivery"] = delivery.clone().into();
        document["reason"] = failure.what.clone().into();
        document["hint"] = failure.hint.clone().into();
    }
    document.to_string()
}

/// Writes only to an existing file: Kubernetes mounts it. The line also counts the messages that
/// standard error did not take.
fn remember(line: &str, file: &Path) {
    let line = &match stderr::dropped() {
        0 => line.to_owned(),
        lost => format!("{line} (standard error did not take {lost} messages)"),
    };
    if let Ok(mut file) = std::fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(file)
    {
        let end = line
            .char_indices()
            .map(|(at, _)| at)
            .take_while(|&at| at <= 2048)
            .last()
            .unwrap_or(0);
        let _ = writeln!(
            file,
            "{}",
            if line.len() > 2048 {
                &line[..end]
            } else {
                line
            }
        );
    }
}
