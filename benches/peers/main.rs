//! `cargo bench`: the release binary beside what one would use instead, whole processes in one run,
//! as a table with ratios.
//!
//! A row is a `Contest` in a module of its own; `ROWS` names them all, and `ASKED_FOR` those that
//! only run by name. `cargo bench -- WORD` runs the rows whose name holds WORD, `--rounds N`
//! changes how often each side runs, `--binary PATH` measures another build of keyferry. Ends with
//! failure when a target is missed.

#[path = "../../tests/support/mod.rs"]
mod support;

mod at_rest;
mod contest;
mod envelopes;
mod field;
mod latency;
mod launcher;
mod limits;
mod many;
mod reflect;
mod release;
mod scale;
mod spread;
mod table;
mod vault_files;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use table::Row;

/// Makes a row with the release binary in a number of rounds.
type Make = fn(&Path, usize) -> Row;

const ROWS: &[(&str, Make)] = &[
    ("vault-files", vault_files::row),
    ("sops-yaml", envelopes::sops_yaml),
    ("sops-json", envelopes::sops_json),
    ("sops-small", envelopes::sops_small),
    ("sops-hundred", envelopes::sops_hundred),
    ("sops-large", envelopes::sops_large),
    ("sealed", envelopes::sealed),
    ("reflect", reflect::row),
    ("latency-vault", latency::vault),
    ("latency-sops", latency::sops),
    ("at-rest", at_rest::row),
    ("many-files", many::files),
    ("many-secrets", many::secrets),
    ("many-check", many::check),
    ("size", release::size),
];

/// Those that take too long, or say nothing that could change from run to run: only by their names.
const ASKED_FOR: &[(&str, Make)] = &[("scale", scale::row), ("limits", limits::row)];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if launcher::is_asked(&args) {
        return launcher::run(&args);
    }
    // `cargo test --all-targets` runs this program too, without the argument that `cargo bench`
    // adds.
    if !args.iter().any(|arg| arg == "--bench") {
        return ExitCode::SUCCESS;
    }
    let Asked {
        rounds,
        binary,
        words,
    } = Asked::of(&args);
    let binary = binary.unwrap_or_else(release::build);
    let named = |name: &str| words.iter().any(|word| name.contains(word.as_str()));
    let rows = ROWS.iter().filter(|_| words.is_empty());
    let rows = rows.chain(ROWS.iter().chain(ASKED_FOR).filter(|(name, _)| named(name)));
    let rows: Vec<Row> = rows.map(|(_, make)| make(&binary, rounds)).collect();
    let written = writeln!(std::io::stdout(), "{}", table::markdown(&rows, rounds));
    let missed = rows
        .iter()
        .flat_map(|row| &row.targets)
        .any(|target| !target.met());
    if missed || written.is_err() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// What the arguments say.
struct Asked {
    rounds: usize,
    binary: Option<PathBuf>,
    words: Vec<String>,
}

impl Asked {
    fn of(args: &[String]) -> Self {
        let mut asked = Self {
            rounds: 21,
            binary: None,
            words: Vec::new(),
        };
        let mut args = args.iter().filter(|arg| *arg != "--bench");
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--rounds" => {
                    let number = args.next().and_then(|number| number.parse().ok());
                    asked.rounds = number
                        .filter(|&n| n > 0)
                        .expect("--rounds takes a number above zero");
                }
                "--binary" => asked.binary = Some(path_of(args.next())),
                word => asked.words.push(word.to_owned()),
            }
        }
        asked
    }
}

/// Absolute, because each contender runs in a folder of its own.
fn path_of(arg: Option<&String>) -> PathBuf {
    let path = arg.expect("--binary takes a path");
    std::fs::canonicalize(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Written to the handle: a table on standard output must stay a table.
fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "bench: {line}"));
}
