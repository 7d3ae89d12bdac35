//! The binary: arguments, logs, one mode, one exit code.

mod cli;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{IsTerminal, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::CommandFactory;

use cli::last::{finish, last_line};
use cli::refused::{self, Parsed};
use cli::{Cli, Command, Common, Exec, LogFormat, Place, Sidecar, Trace, TraceKind};
use keyferry::config::load::load;
use keyferry::config::outside::{Outside, Root};
use keyferry::config::raw::RawConfig;
use keyferry::config::{Config, problem::Problems};
use keyferry::disk::of_one_generation;
use keyferry::mode::check::Depth;
use keyferry::mode::program::{Program, is_path};
use keyferry::mode::sidecar::{Loaded, Settings};
use keyferry::mode::watch::Watched;
use keyferry::mode::{self, Ended, check, exec, once, sidecar, trace, watch};
use keyferry::outcome::{Failed, defect};
use keyferry::plan::Format;
use keyferry::report::{Class, Failure};
use keyferry::sidecar::ask;
use keyferry::sidecar::listen::Names;
use keyferry::vault::Runner;
use keyferry::world::World;
use keyferry::{hygiene, stderr, telemetry};

/// How long the last line may take where nothing may be waited for any more.
const LAST_WORD: Duration = Duration::from_millis(150);

/// So many pairs of descriptors do two event loops and their signals need.
const LOOPS: usize = 5;

/// How long one step of a sidecar may take; a step that fails is made again later.
const STEP: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let core_limit = rustix::process::getrlimit(rustix::process::Resource::Core).current;
    let unhardened = hygiene::harden();
    let manner = refused::manner();
    if is_secret_given() {
        let what = "a secret was given as an argument, where every process can read it";
        let hint = "put it into a file and name the file; and replace it, it was seen";
        return finish(&refuse(what, hint), &manner);
    }
    let Cli { common, command } = match refused::parse(manner.log_format) {
        Parsed::Command(cli) => cli,
        Parsed::Shown => return ExitCode::SUCCESS,
        Parsed::Refused(failure) => return finish(&Ended::Failed(Failed::whole(failure)), &manner),
    };
    if let Err(what) = telemetry::start(&common.log, common.log_format == LogFormat::Json) {
        return finish(&refuse(&what, "see --help"), &common);
    }
    for what in unhardened {
        tracing::warn!("not hardened: {what}");
    }
    end_at_a_defect(common.clone());
    let ended = run(&common, command, core_limit);
    finish(&ended, &common)
}

/// A defect in any thread ends all, with the last line and the code that say so: release builds do not unwind.
#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "nobody is left to return to"
)]
fn end_at_a_defect(common: Common) {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        finish(&Ended::Failed(defect()), &common);
        std::process::exit(Class::Bug.exit_code().into())
    }));
}

fn is_secret_given() -> bool {
    std::env::args_os()
        .skip(1)
        .take_while(|argument| argument != "--")
        .any(|argument| hygiene::is_secret(&argument))
}

fn refuse(what: &str, hint: &str) -> Ended {
    Ended::Failed(Failed::whole(Failure::new(Class::Usage, what).hint(hint)))
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
        Command::Man => match man_page() {
            Ok(page) => print(&page),
            Err(error) => {
                Ended::Failed(Failed::whole(Failure::new(Class::Sink, error.to_string())))
            }
        },
        Command::Job(pass) => with_config(common, &pass.place, |config| {
            let world =
                world(&config, &pass.place, pass.deadline).with_allowed_deletes(pass.allow_deletes);
            if pass.dry_run {
                return show_plan(common, &config, world, Format::Text, false);
            }
            one_pass(common, &config, world)
        }),
        Command::Init(init) => with_config(common, &init.place, |config| {
            let world = world(&config, &init.place, init.deadline);
            if init.dry_run {
                return show_plan(common, &config, world, Format::Text, false);
            }
            one_pass(common, &config, world.waiting_for_files())
        }),
        Command::Sidecar(sidecar) => stay(common, &sidecar),
        Command::Ready(address) => asked(ask::ready(address.listen)),
        Command::Status(address) => asked(ask::status(address.listen)),
        Command::Trace(Trace {
            kind: TraceKind::Secret,
            name,
            output,
            deadline,
        }) => {
            let (ended, text) = block_on(common, trace::secret(&name, deadline, output));
            then(print(&text), ended)
        }
        Command::Plan(plan) => with_config(common, &plan.place, |config| {
            let world =
                world(&config, &plan.place, plan.deadline).with_allowed_deletes(plan.allow_deletes);
            show_plan(common, &config, world, plan.output, true)
        }),
        Command::Check(flags) => with_config(common, &flags.place, |config| {
            let depth = match (flags.keys, flags.targets) {
                (_, true) => Depth::Targets,
                (true, false) => Depth::Keys,
                (false, false) => Depth::Configuration,
            };
            let now = jiff::Timestamp::now();
            let world = world(&config, &flags.place, Duration::from_secs(120));
            let (ended, text) =
                block_on(common, check::run(config, world, depth, flags.output, now));
            then(print(&text), ended)
        }),
        Command::Exec(arguments) => with_config(common, &arguments.place, |config| {
            execute(common, config, &arguments, core_limit)
        }),
    }
}

/// Whether there is a program at all is asked before any login, where no delivered `PATH` can say otherwise.
fn execute(common: &Common, config: Config, arguments: &Exec, core_limit: Option<u64>) -> Ended {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let found = Program::find(&arguments.command, &path);
    let named = arguments.command.first();
    let by_path = named.is_some_and(|program| is_path(program));
    let program = match (found, arguments.watch) {
        (Err(failure), watch) if by_path || !watch => {
            return Ended::Failed(Failed::whole(failure));
        }
        (Ok(program), false) => program,
        (Ok(_) | Err(_), _) => return watched(common, &config, arguments, &path, core_limit),
    };
    let world = world(&config, &arguments.place, arguments.deadline);
    let delivery = arguments.delivery.as_deref();
    match block_on(common, exec::environment(config, world, delivery)) {
        Err(ended) => ended,
        Ok(environment) => {
            let failure = program.replace_us(&environment, core_limit);
            Ended::Failed(Failed::whole(failure))
        }
    }
}

fn watched(
    common: &Common,
    config: &Config,
    arguments: &Exec,
    path: &OsStr,
    core_limit: Option<u64>,
) -> Ended {
    let world = in_actions(World::staying(config, arguments.place.root.clone(), STEP));
    let program = Watched {
        command: &arguments.command,
        path,
        on_change: arguments.on_change,
        deadline: arguments.deadline,
        core_limit,
    };
    let delivery = arguments.delivery.as_deref();
    ask_for_descriptors(common);
    // Its signals are the program's, so nobody guards our own end.
    to_its_end(common, watch::run(config, world, delivery, &program))
}

/// The page of the whole, then the options of each command: one page holds all.
fn man_page() -> std::io::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    let mut command = Cli::command();
    command.build();
    for command in command
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        let mut options = Vec::new();
        clap_mangen::Man::new(command.clone()).render_options_section(&mut options)?;
        let heading = format!(".SH \"OPTIONS OF {}\"", command.get_name().to_uppercase());
        page.push_str(&String::from_utf8_lossy(&options).replacen(".SH OPTIONS", &heading, 1));
    }
    Ok(page)
}

fn one_pass(common: &Common, config: &Config, world: World) -> Ended {
    let (ended, outcome) = block_on(common, once::run(config, world, jiff::Timestamp::now()));
    if let Some(outcome) = outcome
        && std::io::stdout().is_terminal()
    {
        // What was delivered is, whoever does not read of it.
        drop(print(&outcome.table()));
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

fn stay(common: &Common, sidecar: &Sidecar) -> Ended {
    let Sidecar {
        place,
        address,
        allow_deletes,
        allow_host,
    } = sidecar;
    let allow_deletes = *allow_deletes;
    warn_of_secrets();
    let Loaded { config, files } = loaded(place);
    let first = match config {
        Ok(config) => config,
        Err(problems) => return invalid(&problems, common.log_format),
    };
    if let Err(failure) = sidecar::has_work(&first) {
        return Ended::Failed(Failed::whole(failure));
    }
    let (again, root) = (place.clone(), place.root.clone());
    let settings = Settings {
        listen: address.listen,
        names: Names::new(allow_host),
        load: Arc::new(move || loaded(&again)),
        world: Box::new(move |config| {
            let world = World::staying(config, root.clone(), STEP);
            in_actions(world.with_allowed_deletes(allow_deletes))
        }),
    };
    block_on(common, sidecar::run(settings, first, files))
}

fn show_plan(
    common: &Common,
    config: &Config,
    world: World,
    format: Format,
    reflector: bool,
) -> Ended {
    let now = jiff::Timestamp::now();
    let (ended, text) = block_on(common, once::plan(config, world, format, reflector, now));
    let ended = if format == Format::Text && is_terminal() {
        ended.shown_above()
    } else {
        ended
    };
    then(print(&text), ended)
}

/// Whether both streams end before the same eyes.
fn is_terminal() -> bool {
    std::io::stdout().is_terminal() && std::io::stderr().is_terminal()
}

/// The outside of one pass.
fn world(config: &Config, place: &Place, deadline: Duration) -> World {
    in_actions(World::new(config, place.root.clone(), deadline))
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
fn with_config(common: &Common, place: &Place, mode: impl FnOnce(Config) -> Ended) -> Ended {
    warn_of_secrets();
    match loaded(place).config {
        Ok(config) => mode(config),
        Err(problems) => invalid(&problems, common.log_format),
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

/// The configuration, and every file and folder that was looked at for it. The files of a folder are one configuration: none
/// of them from before a switch of its volume, another from after it.
fn loaded(place: &Place) -> Loaded {
    if place.strict {
        keyferry::disk::be_strict();
    }
    let paths = if place.config.is_empty() {
        default_config()
    } else {
        place.config.clone()
    };
    let named: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    of_one_generation(&named, || load_once(place, &paths))
}

fn load_once(place: &Place, paths: &[PathBuf]) -> Loaded {
    let seen = RefCell::new(Vec::new());
    let texts = RefCell::new(BTreeMap::new());
    let read = |path: &Path| {
        seen.borrow_mut().push(path.to_owned());
        let text = keyferry::disk::read_text(path)?;
        let mut texts = texts.borrow_mut();
        texts.insert(path.display().to_string(), text.clone());
        Ok(text)
    };
    let here = std::env::current_dir().unwrap_or_default();
    let outside = Outside {
        env: &env_text,
        read: &read,
        list: &|path| {
            seen.borrow_mut().push(path.to_owned());
            list(path)
        },
        root: place.root.as_deref().map(|path| Root { path, here: &here }),
    };
    let config = load(paths, &outside).and_then(|config| {
        let texts = texts.borrow().clone();
        let mut list = keyferry::render::check_templates(&config, &texts);
        list.extend(keyferry::vault::check_roots(&config));
        list.extend(keyferry::observe::overwritten(&config, &seen.borrow()));
        match list.is_empty() {
            true => Ok(config),
            false => Err(Problems { list, texts }),
        }
    });
    let mut files = seen.take();
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

/// The last line tells the worst; before it stand the others, and the lines of the file.
fn invalid(problems: &Problems, format: LogFormat) -> Ended {
    let others = problems.others();
    match format {
        LogFormat::Text => {
            stderr::write(problems.blocks().as_bytes());
        }
        LogFormat::Json => {
            for Failure { what, hint, .. } in others.iter().map(|problem| problem.failure()) {
                tracing::error!(reason = what, hint, "the configuration is not valid");
            }
        }
    }
    Ended::Failed(Failed {
        more: others.len(),
        ..Failed::whole(problems.failure())
    })
}

/// Runs a mode. Where its end does not come in time after a signal, it is ended: with the same last line and exit code.
#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "who should return hangs"
)]
fn block_on<T>(common: &Common, future: impl Future<Output = T>) -> T {
    ask_for_descriptors(common);
    let told = common.clone();
    mode::guard(move |stop| {
        let (line, code) = last_line(&Ended::Signal(stop), &told);
        stderr::write_within(line.into_bytes(), LAST_WORD);
        std::process::exit(code.into())
    });
    to_its_end(common, future)
}

fn to_its_end<T>(common: &Common, future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.unwrap_or_else(|error| without_loop(common, &error));
    let result = runtime.block_on(keyferry::progress::shown(future));
    // A name that is still being looked up could hold us beyond the deadline.
    runtime.shutdown_background();
    result
}

/// The library of the event loops ends in a defect where it finds the last descriptors gone.
fn ask_for_descriptors(common: &Common) {
    let enough: std::io::Result<Vec<_>> = (0..LOOPS).map(|_| UnixStream::pair()).collect();
    if let Err(error) = enough {
        without_loop(common, &error);
    }
}

/// Nothing can be waited for.
#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "nothing was begun, and no mode has an answer without an event loop"
)]
fn without_loop(common: &Common, error: &std::io::Error) -> ! {
    let failure = Failure::new(
        Class::Unavailable,
        format!("an event loop cannot be made: {error}"),
    );
    let failure = failure.hint("allow more open files: `ulimit -n`");
    finish(&Ended::Failed(Failed::whole(failure)), common);
    std::process::exit(Class::Unavailable.exit_code().into())
}

fn print(text: &str) -> Ended {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
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
        Ended::Well(_) | Ended::Differs(_) | Ended::Signal(_) | Ended::Program(_) => ended,
    }
}

/// A variable of the environment, where it is text.
fn env_text(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|value| value.into_string().ok())
}
