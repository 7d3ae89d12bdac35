//! Names are shown so that nothing in them is obeyed: by a terminal, a log, a page or a reader's
//! eye.

use std::fs;
use std::path::Path;

use crate::support::run::{Output, keyferry};
use crate::support::sidecar::RunningSidecar;

/// A name that begins a line of its own, turns the text around, colours a terminal and is markup.
const NAME: &str = r#"a\n2026-11-28T00:00:00Z ERROR forged\u202E\u2028\e[31m<b>x **y** @team `|"#;

fn config() -> String {
    format!(
        "deliveries:\n- {{name: \"{NAME}\", fields: {{\"K{NAME}\": v}}, to: [{{file: {{path: \"{NAME}.json\", format: json}}}}]}}\n\
         - {{name: \"b{NAME}\", from: [{{age: \"{NAME}.age\"}}], to: [{{file: {{path: b.env}}}}]}}\n"
    )
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("keyferry.yaml"), config()).unwrap();
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    keyferry().dir(folder).args(arguments).run()
}

/// Nothing of the name is obeyed: no line begins with what it says, and no mark is left.
#[track_caller]
fn is_plain(text: &str) {
    assert!(text.contains("forged"), "the name is shown: {text}");
    for line in text.lines() {
        assert!(
            !line
                .trim_start_matches("error: ")
                .starts_with("2026-11-28T00:00:00Z"),
            "{text}"
        );
    }
    let obeyed = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{2028}');
    assert!(!text.contains(obeyed), "{text:?}");
}

#[test]
fn row_136_plans_logs_and_errors_obey_no_name() {
    let folder = folder();
    for format in ["text", "json"] {
        let job = run(
            folder.path(),
            &["job", "--log-format", format, "--log", "debug"],
        );
        is_plain(&job.stderr);
        fs::remove_file(folder.path().join(unescaped() + ".json")).unwrap();
    }
    is_plain(&run(folder.path(), &["plan"]).stdout);
    is_plain(&run(folder.path(), &["check", "--targets"]).stdout);
    let markdown = run(folder.path(), &["plan", "-o", "markdown"]).stdout;
    is_plain(&markdown);
    for row in markdown.lines().skip(2) {
        // Five cells, and in each of ours nothing outside of code.
        assert_eq!(row.matches("| ").count(), 5, "{row}");
        let outside: String = row.split('`').step_by(2).collect();
        assert!(
            !outside.contains(['<', '*', '@']) || outside.contains("<br>"),
            "{row}"
        );
    }
    let wrong = config().replace("fields:", "felds:");
    fs::write(folder.path().join("keyferry.yaml"), wrong).unwrap();
    is_plain(&run(folder.path(), &["check"]).stderr);
}

/// The name as it is after YAML.
fn unescaped() -> String {
    let text = format!("\"{NAME}\"");
    serde_saphyr::from_str(&text).unwrap()
}

#[test]
fn row_136_readyz_and_status_obey_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let sidecar = RunningSidecar::start(folder.path(), &config());
    crate::support::process::eventually("one is delivered", crate::support::sidecar::SOON, || {
        sidecar.reasons().contains(": ok")
    });
    is_plain(&sidecar.reasons());
    assert_eq!(
        sidecar.reasons().lines().count(),
        2,
        "{}",
        sidecar.reasons()
    );
    is_plain(&sidecar.command("status").stdout);
    is_plain(&sidecar.command("ready").stderr);
    is_plain(&sidecar.end().stderr);
}
