//! The house's rules that a compiler does not know: who may use whom, and how large a room may
//! grow.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Module to ring. A module uses its own ring or lower ones, and no circle of modules exists.
const RINGS: &[(&str, u8)] = &[
    ("main", 4),
    ("cli", 4),
    ("mode", 3),
    ("sidecar", 3),
    ("reflector", 3),
    ("pass", 3),
    ("vault", 2),
    ("kubernetes", 2),
    ("disk", 2),
    ("net", 2),
    ("process", 2),
    ("plan", 1),
    ("render", 1),
    ("envelope", 1),
    ("template", 1),
    ("config", 1),
    ("copy_rules", 1),
    ("base", 0),
    ("format", 0),
];

/// Entries of `src` that a stranger looks through.
const FIRST_LEVEL: usize = 20;

/// Steps of a pass that do not know each other.
const STEPS: &[&str] = &["source", "observe", "apply"];

/// What pure code does not touch.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::net::Tcp",
    "std::net::Udp",
    "ToSocketAddrs",
    "std::process::",
    "tokio::",
    "kube::Client",
    "kube::Api",
    "hyper::",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "rustix::",
];

/// Lines of a file that holds one concept; more needs a reason in the list.
const LONGEST: usize = 500;

/// Columns of a line. Tests may hold wider data.
const WIDEST: usize = 100;

struct Source {
    path: PathBuf,
    module: String,
    lines: Vec<String>,
}

#[test]
fn modules_use_lower_rings_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(ring) = ring(&source.module) else {
            wrong.push(format!(
                "{}: `{}` has no ring: add it to tests/it/tidy.rs and src/lib.rs",
                source.path.display(),
                source.module
            ));
            continue;
        };
        let used = uses(&source).into_iter();
        let higher = used.filter(|used| self::ring(used).is_some_and(|used| used > ring));
        wrong.extend(higher.map(|used| {
            let (path, module) = (source.path.display(), &source.module);
            format!("{path}: `{module}` may not use `{used}`")
        }));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn modules_form_no_circle() {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        let mut others = uses(&source);
        others.remove(&source.module);
        used.entry(source.module).or_default().extend(others);
    }
    // Whoever uses only what is not in a circle is in none.
    loop {
        let left: BTreeSet<String> = used.keys().cloned().collect();
        used.retain(|_, others| others.iter().any(|other| left.contains(other)));
        if used.len() == left.len() {
            break;
        }
    }
    assert!(used.is_empty(), "in a circle, or above one: {used:?}");
}

#[test]
fn the_steps_of_a_pass_do_not_know_each_other() {
    let mut wrong = Vec::new();
    for source in sources() {
        let mut parts = source.path.iter().map(|part| part.to_string_lossy());
        if parts.next().as_deref() != Some("pass") {
            continue;
        }
        let own = parts.next().unwrap_or_default();
        let own = own.trim_end_matches(".rs");
        if !STEPS.contains(&own) {
            continue;
        }
        let text = source.lines.join("\n");
        for other in STEPS.iter().filter(|step| **step != own) {
            if text.contains(&format!("pass::{other}")) {
                wrong.push(format!("{}: uses `{other}`", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_first_level_can_be_looked_through() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let entries = fs::read_dir(root).expect("it is a folder").count();
    assert!(entries <= FIRST_LEVEL, "{entries} entries in src");
}

#[test]
fn pure_code_touches_nothing() {
    let mut wrong = Vec::new();
    for source in sources()
        .into_iter()
        .filter(|source| ring(&source.module).is_some_and(|ring| ring <= 1))
    {
        for (number, line) in source.lines.iter().enumerate() {
            for what in IMPURE.iter().filter(|what| line.contains(**what)) {
                wrong.push(format!(
                    "{}:{}: pure code uses {what}",
                    source.path.display(),
                    number + 1
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_stays_small() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !source
            .lines
            .first()
            .is_some_and(|line| line.starts_with("//! "))
        {
            wrong.push(format!(
                "{}:1: the first line says what the file is for (`//! …`)",
                source.path.display()
            ));
        }
        if source.lines.len() > LONGEST {
            wrong.push(format!(
                "{}: {} lines; split it by concept",
                source.path.display(),
                source.lines.len()
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_line_is_wider_than_a_page() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in source.lines.iter().enumerate() {
            if line.chars().count() > WIDEST {
                wrong.push(format!("{}:{}", source.path.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_stub_and_no_unwrap() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in source.lines.iter().enumerate() {
            for what in ["todo!(", "unimplemented!(", ".unwrap()", "#[allow("] {
                if line.contains(what) {
                    wrong.push(format!("{}:{}: {what}", source.path.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn ring(module: &str) -> Option<u8> {
    RINGS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, ring)| *ring)
}

/// The modules of the first level that a file uses: by `crate::x`, by `crate::{x, y::z}`, or by as
/// many `super::` as leave its own.
fn uses(source: &Source) -> BTreeSet<String> {
    let code = source.lines.iter().map(|line| line.trim_start());
    let code: Vec<&str> = code.filter(|line| !line.starts_with("//")).collect();
    let code = code.join("\n");
    let depth = source.path.iter().filter(|part| *part != "mod.rs").count();
    let out = "super::".repeat(depth);
    let mut used = BTreeSet::new();
    for root in ["crate::", "keyferry::", out.as_str()] {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            if !before.is_some_and(|before| before.is_alphanumeric() || before == ':') {
                used.extend(first_names(&code[at + root.len()..]));
            }
        }
    }
    used
}

/// The name that a path begins with, or those of a group in braces.
fn first_names(path: &str) -> Vec<String> {
    let name = |path: &str| -> String {
        let path = path.trim_start().chars();
        path.take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(name(&group[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

#[test]
fn uses_are_seen_however_they_are_written() {
    let rows = [
        ("a/b.rs", "use crate::x::Y;", "x"),
        ("a/b.rs", "use crate::{x, y::{Z, W}, z};", "x y z"),
        ("a/b.rs", "let c = crate::x::y();", "x"),
        ("a/b.rs", "use super::c;", ""),
        ("a/b.rs", "use super::super::x;", "x"),
        ("a/mod.rs", "use super::x;", "x"),
        ("a/b.rs", "// crate::x", ""),
    ];
    for (path, line, want) in rows {
        let source = Source {
            path: path.into(),
            module: "a".to_owned(),
            lines: vec![line.to_owned()],
        };
        let used: Vec<String> = uses(&source)
            .into_iter()
            .filter(|name| !name.is_empty())
            .collect();
        assert_eq!(used.join(" "), want, "{path}: {line}");
    }
}

/// Every file of `src`, without its tests: they may use anything.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    for path in rust_files(&root) {
        let inner = path.strip_prefix(&root).expect("it is beneath src");
        let is_test = |part: &OsStr| part == "tests" || part == "tests.rs";
        if inner.iter().any(is_test) || inner == "lib.rs" {
            continue;
        }
        let text = fs::read_to_string(&path).expect("sources are text");
        let code = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        let first = inner.iter().next().expect("a file has a name");
        let first = first.to_string_lossy();
        all.push(Source {
            module: first.trim_end_matches(".rs").to_owned(),
            lines: code.lines().map(str::to_owned).collect(),
            path: inner.to_owned(),
        });
    }
    assert!(all.len() > 20, "the sources were found");
    all
}

/// Every Rust file in a folder and those below it.
pub(crate) fn rust_files(root: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("it is a folder") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension() == Some(OsStr::new("rs")) {
                files.push(path);
            }
        }
    }
    files
}
