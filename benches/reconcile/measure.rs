//! What a piece of work took, by the clock and by the kernel's books (proc(5)).

use std::time::Instant;

/// One run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) milliseconds: f64,
    /// Of all threads, in milliseconds.
    pub(crate) cpu: f64,
    /// MiB that the process had at most, ever.
    pub(crate) peak: f64,
    /// MiB that it has after the work.
    pub(crate) then: f64,
}

impl Figures {
    /// Does the work and measures it.
    pub(crate) fn of<T>(work: impl FnOnce() -> T) -> Self {
        let (begun, cpu) = (Instant::now(), cpu());
        let result = work();
        let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
        let spent = cpu_since(cpu);
        let [peak, then] = ["VmHWM:", "VmRSS:"].map(memory);
        drop(result);
        Self { milliseconds, cpu: spent, peak, then }
    }

    pub(crate) fn print(self) {
        println!("{} {} {} {}", self.milliseconds, self.cpu, self.peak, self.then);
    }

    pub(crate) fn parse(line: &str) -> Self {
        let mut figures = line.split_whitespace().map(|figure| figure.parse().unwrap());
        let [milliseconds, cpu, peak, then] = [(); 4].map(|()| figures.next().unwrap());
        Self { milliseconds, cpu, peak, then }
    }
}

/// Clock ticks of this process, a hundred a second.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
    fields.map(|ticks| ticks.parse::<f64>().unwrap()).sum()
}

fn cpu_since(earlier: f64) -> f64 {
    (cpu() - earlier) * 10.0
}

fn memory(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
