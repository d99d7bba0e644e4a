//! What strongroom costs on top of its token: throughput, pages, memory and start, each beside what
//! it is compared with. Run by `scripts/bench`.
//!
//! - [`bare`]: the token without strongroom
//! - [`throughput`]: the same work through HTTP, and the memory it takes
//! - [`pages`]: lists over few rows and over many; [`index`] makes the rows
//! - [`tls`]: HTTPS beside plain HTTP
//! - [`safeguards`]: what access, policy and audit cost
//! - [`facades`]: other products' APIs beside the native one
//! - [`authorities`]: certificates from CSRs, and a long revocation list
//! - [`start`]: from exec to ready
//! - [`appliance`], [`token`], [`client`], [`load`], [`process`]: what these are made of
//! - [`report`]: the table
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement that cannot be made ends by panicking, and its result is what it prints"
)]

mod appliance;
mod authorities;
mod bare;
mod client;
mod facades;
mod index;
mod load;
mod pages;
mod process;
mod report;
mod safeguards;
mod start;
mod throughput;
mod tls;
mod token;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use report::Report;

#[derive(Parser)]
struct Args {
    /// Less of everything: under a minute, and less exact.
    #[arg(long)]
    quick: bool,
    /// Where databases are kept while they are measured; decides what a commit costs.
    #[arg(long, value_name = "DIR", default_value = env!("CARGO_TARGET_TMPDIR"))]
    data: PathBuf,
    /// Given by cargo to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    work: Option<bare::Work>,
}

/// How much is measured.
struct Extent {
    /// Every rate is measured so often; the median counts.
    rounds: usize,
    /// Keys made for one rate, each time on a fresh token: SoftHSM is slower the more it holds.
    keys: u64,
    /// Time spent signing for one rate.
    signing: Duration,
    /// Times a page is fetched for one latency.
    fetches: u64,
    /// Turns in which ways that are compared take their place, a stretch of requests each.
    turns: usize,
}

const FULL: Extent =
    Extent { rounds: 5, keys: 1000, signing: Duration::from_secs(4), fetches: 500, turns: 60 };
const QUICK: Extent =
    Extent { rounds: 1, keys: 1000, signing: Duration::from_secs(1), fetches: 200, turns: 20 };

fn main() {
    let args = Args::parse();
    if let Some(work) = args.work {
        return work.run();
    }
    let extent = if args.quick { QUICK } else { FULL };
    let load_before = process::load_average();
    let mut report = Report::default();
    throughput::measure(&args.data, &extent, &mut report);
    pages::measure(&args.data, &extent, &mut report);
    tls::measure(&args.data, &extent, &mut report);
    safeguards::measure(&args.data, &extent, &mut report);
    facades::measure(&args.data, &extent, &mut report);
    authorities::measure(&args.data, &extent, &mut report);
    start::measure(&args.data, &extent, &mut report);
    let cores = std::thread::available_parallelism().unwrap();
    let sync = process::sync_time(&args.data);
    println!(
        "{cores} cores, load {load_before:.2} before; a write to the databases' disk is synced in {:.2} ms\n",
        report::millis(sync)
    );
    print!("{report}");
}

/// Progress; the result alone is on standard output.
fn note(what: &str) {
    eprintln!("==> {what}");
}

/// The middle one.
fn median<T: PartialOrd + Copy>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap());
    sorted[sorted.len() / 2]
}
