//! The binary: arguments, logs, one mode, one exit code.

mod cli;

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser};

use cli::{Cli, Command, Common, LogFormat};
use keyferry::config::load::{Outside, load};
use keyferry::config::raw::RawConfig;
use keyferry::config::{Config, problem::Problems};
use keyferry::mode::check::Depth;
use keyferry::mode::sidecar::{Loaded, Settings};
use keyferry::mode::{Ended, check, exec, once, sidecar};
use keyferry::outcome::{Failed, defect};
use keyferry::plan::Format;
use keyferry::report::{Class, Failure};
use keyferry::sidecar::ask;
use keyferry::vault::Runner;
use keyferry::world::World;
use keyferry::{hygiene, telemetry};

/// How long one step of a sidecar may take; a step that fails is made again later.
const STEP: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let core_limit = rustix::process::getrlimit(rustix::process::Resource::Core).current;
    let unhardened = hygiene::harden();
    if std::env::args_os()
        .skip(1)
        .take_while(|argument| argument != "--")
        .any(|argument| hygiene::is_secret(&argument))
    {
        return usage(
            "a secret was given as an argument, where every process can read it",
            "put it into a file and name the file; and replace it, it was seen",
        );
    }
    let Cli { common, command } = Cli::parse();
    if let Err(what) = telemetry::start(&common.log, common.log_format == LogFormat::Json) {
        return usage(&what, "see --help");
    }
    for what in unhardened {
        tracing::warn!("not hardened: {what}");
    }
    let run = std::panic::AssertUnwindSafe(|| run(&common, command, core_limit));
    let ended = std::panic::catch_unwind(run).unwrap_or_else(|_| Ended::Failed(defect()));
    finish(&ended, &common)
}

fn usage(what: &str, hint: &str) -> ExitCode {
    print_error(&format!("usage: {what}; {hint}"));
    ExitCode::from(Class::Usage.exit_code())
}

fn run(common: &Common, command: Command, core_limit: Option<u64>) -> Ended {
    match command {
        Command::Schema => print(&format!(
            "{:#}\n",
            schemars::schema_for!(RawConfig).to_value()
        )),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "keyferry", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Command::Man => {
            let mut page = Vec::new();
            match clap_mangen::Man::new(Cli::command()).render(&mut page) {
                Ok(()) => print(&String::from_utf8_lossy(&page)),
                Err(error) => {
                    Ended::Failed(Failed::whole(Failure::new(Class::Sink, error.to_string())))
                }
            }
        }
        Command::Job(pass) => with_config(common, |config| {
            one_pass(config, common, pass.deadline, pass.dry_run)
        }),
        Command::Init(init) => with_config(common, |config| {
            one_pass(config, common, init.deadline, init.dry_run)
        }),
        Command::Sidecar(address) => stay(common, address.listen),
        Command::Ready(address) => asked(ask::ready(address.listen)),
        Command::Status(address) => asked(ask::status(address.listen)),
        Command::Plan(plan) => with_config(common, |config| {
            show_plan(config, common, plan.deadline, plan.output)
        }),
        Command::Check(flags) => with_config(common, |config| {
            let depth = match (flags.keys, flags.targets) {
                (_, true) => Depth::Targets,
                (true, false) => Depth::Keys,
                (false, false) => Depth::Configuration,
            };
            let world = world(&config, common, Duration::from_secs(120));
            let (ended, text) = block_on(check::run(config, world, depth, jiff::Timestamp::now()));
            then(print(&text), ended)
        }),
        Command::Exec(arguments) => with_config(common, |config| {
            let world = world(&config, common, arguments.deadline);
            match block_on(exec::environment(
                &config,
                world,
                arguments.delivery.as_deref(),
            )) {
                Err(ended) => ended,
                Ok(environment) => {
                    let failure = exec::become_program(&arguments.command, environment, core_limit);
                    Ended::Failed(Failed::whole(failure))
                }
            }
        }),
    }
}

fn one_pass(config: Config, common: &Common, deadline: Duration, dry_run: bool) -> Ended {
    if dry_run {
        return show_plan(config, common, deadline, Format::Text);
    }
    let world = world(&config, common, deadline);
    let (ended, outcome) = block_on(once::run(&config, world, jiff::Timestamp::now()));
    if let Some(outcome) = outcome
        && std::io::stdout().is_terminal()
    {
        return then(print(&outcome.table()), ended);
    }
    ended
}

/// Asks of a running sidecar need no configuration.
fn asked(answer: Result<String, Failure>) -> Ended {
    match answer {
        Ok(text) => print(&text),
        Err(failure) => Ended::Failed(Failed::whole(failure)),
    }
}

fn stay(common: &Common, listen: SocketAddr) -> Ended {
    warn_of_secrets();
    let Loaded { config, files } = loaded(common);
    let first = match config {
        Ok(config) => config,
        Err(problems) => return invalid(&problems),
    };
    if let Err(failure) = sidecar::has_work(&first) {
        return Ended::Failed(Failed::whole(failure));
    }
    let (again, outside) = (common.clone(), common.clone());
    let settings = Settings {
        listen,
        load: Box::new(move || loaded(&again)),
        world: Box::new(move |config| {
            in_actions(World::staying(config, outside.root.clone(), STEP))
        }),
    };
    block_on(sidecar::run(settings, first, files))
}

fn show_plan(config: Config, common: &Common, deadline: Duration, format: Format) -> Ended {
    let world = world(&config, common, deadline);
    let (ended, text) = block_on(once::plan(&config, world, format, jiff::Timestamp::now()));
    then(print(&text), ended)
}

/// The outside of one pass.
fn world(config: &Config, common: &Common, deadline: Duration) -> World {
    in_actions(World::new(config, common.root.clone(), deadline))
}

/// Only here is the environment asked who a GitHub Actions job is.
fn in_actions(world: World) -> World {
    match Runner::of(
        env_text("ACTIONS_ID_TOKEN_REQUEST_URL"),
        env_text("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    ) {
        Some(runner) => world.with_runner(runner),
        None => world,
    }
}

/// Loads the configuration first; what is wrong with it is shown line by line.
fn with_config(common: &Common, mode: impl FnOnce(Config) -> Ended) -> Ended {
    warn_of_secrets();
    match loaded(common).config {
        Ok(config) => mode(config),
        Err(problems) => invalid(&problems),
    }
}

fn warn_of_secrets() {
    for name in hygiene::SECRET_VARIABLES
        .iter()
        .filter(|name| std::env::var_os(name).is_some())
    {
        if !name.starts_with("ACTIONS_") {
            tracing::warn!("{name} is set and ignored: secrets are read from files only");
        }
    }
}

/// The configuration, and every file and folder that was looked at for it.
fn loaded(common: &Common) -> Loaded {
    let seen = RefCell::new(Vec::new());
    let outside = Outside {
        env: &env_text,
        read: &|path| {
            seen.borrow_mut().push(path.to_owned());
            std::fs::read_to_string(path)
        },
        list: &|path| {
            seen.borrow_mut().push(path.to_owned());
            list(path)
        },
        root: common.root.as_deref(),
    };
    let paths = if common.config.is_empty() {
        default_config()
    } else {
        common.config.clone()
    };
    let config = load(&paths, &outside);
    let mut files = seen.into_inner();
    files.sort();
    files.dedup();
    Loaded { config, files }
}

fn default_config() -> Vec<PathBuf> {
    let here = PathBuf::from("keyferry.yaml");
    let mounted = PathBuf::from("/etc/keyferry/keyferry.yaml");
    vec![if here.exists() || !mounted.exists() {
        here
    } else {
        mounted
    }]
}

fn list(path: &Path) -> std::io::Result<Option<Vec<PathBuf>>> {
    if !path.is_dir() {
        return Ok(None);
    }
    let mut entries = std::fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(Some(entries))
}

fn invalid(problems: &Problems) -> Ended {
    let _ = writeln!(std::io::stderr().lock(), "{problems}");
    Ended::Failed(Failed::whole(Failure::new(
        problems.class(),
        problems.line(),
    )))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime needs only an epoll descriptor");
    let result = runtime.block_on(future);
    // A name that is still being looked up could hold us beyond the deadline.
    runtime.shutdown_background();
    result
}

fn print(text: &str) -> Ended {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => Ended::Well(String::new()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ended::Well(String::new()),
        Err(error) => Ended::Failed(Failed::whole(
            Failure::new(
                Class::Sink,
                format!("cannot write to standard output: {error}"),
            )
            .hint("redirect it elsewhere"),
        )),
    }
}

fn then(printed: Ended, ended: Ended) -> Ended {
    match printed {
        Ended::Failed(failed) => Ended::Failed(failed),
        Ended::Well(_) | Ended::Differs(_) | Ended::Signal(_) => ended,
    }
}

/// The last line, on standard error and for Kubernetes, and the exit code.
fn finish(ended: &Ended, common: &Common) -> ExitCode {
    let (line, code) = match ended {
        Ended::Well(line) => (line.clone(), 0),
        Ended::Differs(line) => (line.clone(), 10),
        Ended::Failed(failed) => (failed.line(), failed.failure.class.exit_code()),
        Ended::Signal(stop) => ("stopped by a signal".to_owned(), stop.exit_code()),
    };
    if !line.is_empty() {
        match common.log_format {
            LogFormat::Text if code == 0 || code == 10 => print_line(&line),
            LogFormat::Text => print_error(&line),
            LogFormat::Json => print_line(&json_line(ended, &line, code)),
        }
        remember(&line, &common.termination_log);
    }
    ExitCode::from(code)
}

fn json_line(ended: &Ended, line: &str, code: u8) -> String {
    let mut document = serde_json::json!({"message": line, "exit": code, "level": if code == 0 || code == 10 { "INFO" } else { "ERROR" }});
    if let Ended::Failed(Failed { delivery, failure }) = ended {
        document["class"] = failure.class.word().into();
        document["delivery"] = delivery.clone().into();
        document["reason"] = failure.what.clone().into();
        document["hint"] = failure.hint.clone().into();
    }
    document.to_string()
}

/// Written only where the file is there already: Kubernetes mounts it.
fn remember(line: &str, file: &Path) {
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

fn print_error(line: &str) {
    print_line(&format!("error: {line}"));
}

fn print_line(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A variable of the environment, where it is text.
fn env_text(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|value| value.into_string().ok())
}
