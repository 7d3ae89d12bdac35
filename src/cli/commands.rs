//! What each command does.

use std::future::ready;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use clap::CommandFactory;

use keyferry::base::failure::{Class, Failure};
use keyferry::config::{Config, reference};
use keyferry::mode::check::Depth;
use keyferry::mode::grants::Mode;
use keyferry::mode::sidecar::{Loaded, Settings};
use keyferry::mode::{Ended, check, history, install, once, rollback, sidecar, trace};
use keyferry::pass::outcome::Failed;
use keyferry::pass::world::World;
use keyferry::plan::{Format, show};
use keyferry::sidecar::client;
use keyferry::sidecar::listen::Names;
use keyferry::vault::Runner;

use super::arguments::{
    Cli, Command, Common, Explain, LogFormat, Pass, Place, Sidecar, Trace, TraceKind,
};
use super::execute::execute;
use super::grants::granted;
use super::load::{env_text, invalid, loaded, warn_of_secrets};
use super::man::man_page;
use super::new;
use super::print::{is_terminal, print, printed, then};
use super::runtime::block_on;

/// How long one step of a sidecar may take; a step that fails is made again later.
pub(super) const STEP: Duration = Duration::from_secs(20);

pub(crate) fn run(common: &Common, command: Command, core_limit: Option<u64>) -> Ended {
    match command {
        Command::Install { folder } => install::run(&folder),
        Command::Schema => print(&format!("{:#}\n", keyferry::config::schema::schema())),
        Command::Explain(Explain { place, markdown }) => {
            if markdown {
                return print(&reference::markdown());
            }
            let page = reference::explain(&place);
            printed(page.map_err(|why| Failure::new(Class::Usage, why.what).hint(why.hint)))
        }
        Command::New { kind } => new::start(kind),
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
        Command::Job(pass) => with_config(&pass.place, |config| job(common, &config, &pass)),
        Command::Init(init) => with_config(&init.place, |config| {
            let world = world(&config, &init.place, init.limit.deadline);
            if init.dry_run {
                return show_plan(common, &config, ready(Ok(world)), Format::Text, false);
            }
            let world = ready(Ok(world.waiting_for_files()));
            one_pass(common, &config, world, Mode::Init)
        }),
        Command::Sidecar(sidecar) => stay(common, &sidecar),
        Command::Ready(address) => printed(client::ready(address.listen)),
        Command::Status(status) => printed(client::status(status.address.listen, status.output)),
        Command::History(asked) => with_config(&asked.place, |config| {
            let world = world(&config, &asked.place, asked.limit.deadline);
            let told = history::run(&config, world, &asked.deliveries, asked.output);
            let (ended, text) = block_on(common, told);
            then(print(&text), ended)
        }),
        Command::Trace(Trace {
            kind: TraceKind::Secret,
            name,
            output,
            limit,
        }) => {
            let (ended, text) = block_on(common, trace::secret(&name, limit.deadline, output));
            then(print(&text), ended)
        }
        Command::Plan(plan) => with_config(&plan.place, |config| {
            let world = world(&config, &plan.place, plan.limit.deadline)
                .with_allowed_deletes(plan.allow_deletes);
            show_plan(common, &config, ready(Ok(world)), plan.output, true)
        }),
        Command::Check(flags) => with_config(&flags.place, |config| {
            let depth = match (flags.keys, flags.targets) {
                (_, true) => Depth::Targets,
                (true, false) => Depth::Keys,
                (false, false) => Depth::Configuration,
            };
            let now = jiff::Timestamp::now();
            let world = world(&config, &flags.place, Duration::from_secs(120));
            let wanted = check::Wanted {
                depth,
                access: flags
                    .access
                    .then(|| flags.mode.unwrap_or_else(|| Mode::of(&config))),
                format: flags.output,
            };
            let (ended, text) = block_on(common, check::run(config, world, wanted, now));
            then(print(&text), ended)
        }),
        Command::Grants(grants) => granted(common, grants),
        Command::Exec(arguments) => with_config(&arguments.place, |config| {
            execute(common, config, &arguments, core_limit)
        }),
    }
}

/// A pass, after the way back to an earlier state where one is asked for.
fn job(common: &Common, config: &Config, pass: &Pass) -> Ended {
    let world =
        || world(config, &pass.place, pass.limit.deadline).with_allowed_deletes(pass.allow_deletes);
    let back = pass.back.request();
    let ready = async {
        match &back {
            None => Ok(world()),
            Some(request) if pass.dry_run => {
                let holds = rollback::find(config, world(), request).await?;
                Ok(world().with_holds(holds))
            }
            Some(request) => {
                rollback::prepare(config, world(), request).await?;
                Ok(world())
            }
        }
    };
    match pass.dry_run {
        true => show_plan(common, config, ready, Format::Text, false),
        false => one_pass(common, config, ready, Mode::Job),
    }
}

fn one_pass(
    common: &Common,
    config: &Config,
    ready: impl Future<Output = Result<World, Ended>>,
    mode: Mode,
) -> Ended {
    let table = std::io::stdout().is_terminal() && !common.quiet;
    // Who sees the table needs no log of the same.
    let logs = !(table && is_terminal() && common.log_format == LogFormat::Text);
    let now = jiff::Timestamp::now();
    let (ended, outcome) = block_on(common, async {
        match ready.await {
            Ok(world) => once::run(config, world, mode, logs, now).await,
            Err(ended) => (ended, None),
        }
    });
    if let Some(outcome) = outcome
        && table
    {
        // What was delivered is, whoever does not read of it.
        drop(print(&outcome.table(common.output_style())));
    }
    ended
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
        Err(problems) => return invalid(&problems),
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
    ready: impl Future<Output = Result<World, Ended>>,
    format: Format,
    reflector: bool,
) -> Ended {
    let now = jiff::Timestamp::now();
    let (ended, plan) = block_on(common, async {
        match ready.await {
            Ok(world) => once::plan(config, world, reflector, now).await,
            Err(ended) => (ended, None),
        }
    });
    let text = plan.map(|plan| show(&plan, format, common.output_style()));
    let ended = if format == Format::Text && is_terminal() {
        ended.shown_above()
    } else {
        ended
    };
    then(print(&text.unwrap_or_default()), ended)
}

/// The outside of one pass.
pub(super) fn world(config: &Config, place: &Place, deadline: Duration) -> World {
    in_actions(World::new(config, place.root.clone(), deadline))
}

/// Only here is the environment asked who a GitHub Actions job is.
pub(super) fn in_actions(world: World) -> World {
    match Runner::of(
        env_text("ACTIONS_ID_TOKEN_REQUEST_URL"),
        env_text("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    ) {
        Some(runner) => world.with_runner(runner),
        None => world,
    }
}

/// Loads the configuration first; what is wrong with it is shown line by line.
fn with_config(place: &Place, mode: impl FnOnce(Config) -> Ended) -> Ended {
    warn_of_secrets();
    match loaded(place).config {
        Ok(config) => mode(config),
        Err(problems) => invalid(&problems),
    }
}
