//! A plan as values of the Helm chart in deploy/helm/seriesgate.

use super::{Need, Plan, Sizing};

const MIB: f64 = 1048576.0;
const GIB: f64 = 1024.0 * MIB;

/// A gate gives up what it can do without from less than six tenths of its limit on, so a plan may fill half of it.
const MEMORY_FILLED: f64 = 0.5;

/// Memory limits are multiples of this, and at least four times this, so that there is room for large requests.
const MEMORY_STEP_MIB: f64 = 64.0;

/// CPU requests are multiples of this, and at least twice this.
const CPU_STEP: f64 = 50.0;

/// Replicas at most, for each that an ordinary day needs.
const RESERVE: u32 = 3;

/// What is enough for every need of a plan.
struct Enough {
    cores: f64,
    replicas: u32,
    cpu_millis: f64,
    memory_mib: f64,
    disk_gib: f64,
}

impl Enough {
    fn new(needs: &[Need], sizing: &Sizing) -> Self {
        let most = |pick: fn(&Need) -> f64| needs.iter().map(pick).fold(0.0, f64::max);
        let up = |value: f64, step: f64| (value / step).ceil() * step;
        let cores = most(|need| need.cores);
        let replicas = needs.iter().map(|need| need.replicas).fold(sizing.least_replicas, u32::max);
        let millis = cores / f64::from(replicas.max(1)) / sizing.utilisation * 1000.0;
        // a snapshot is written beside the one that it replaces, and grows with the next cluster
        let disk = 3.0 * most(|need| need.disk_bytes) / GIB;
        Self {
            cores,
            replicas,
            cpu_millis: up(millis, CPU_STEP).max(2.0 * CPU_STEP),
            memory_mib: up(most(|need| need.replica_memory_mib) / MEMORY_FILLED, MEMORY_STEP_MIB)
                .max(4.0 * MEMORY_STEP_MIB),
            disk_gib: disk.ceil(),
        }
    }
}

impl Plan {
    /// Values of the chart that are enough for each set of policies in the plan.
    pub fn values(&self, sizing: &Sizing) -> String {
        let enough = Enough::new(&self.needs, sizing);
        let sets: Vec<&str> = self.needs.iter().map(|need| need.variant.as_str()).collect();
        let line = |text: &str| text.replace(char::is_control, " ");
        // above what is ordinary, so that noise starts no gate, and below all there is
        let target = ((sizing.utilisation + 1.0) / 2.0 * 100.0).round().clamp(1.0, 95.0);
        let Enough { cores, replicas, cpu_millis, memory_mib, disk_gib } = enough;
        let mut text = format!(
            "# {}: values of deploy/helm/seriesgate, enough for each of: {}\n\
             # {cores:.3} cores in all on an ordinary day, and half of the memory\n\
             replicas: {replicas}\n\
             autoscaling:\n  minReplicas: {replicas}\n  maxReplicas: {}\n  cpuUtilization: {target}\n\
             resources:\n  requests:\n    cpu: {cpu_millis}m\n    memory: {memory_mib}Mi\n  \
             limits:\n    memory: {memory_mib}Mi\n",
            line(&self.of),
            line(&sets.join(", ")),
            replicas.saturating_mul(RESERVE),
        );
        if disk_gib > 0.0 {
            text += &format!("persistence:\n  size: {disk_gib}Gi\n");
        }
        text
    }
}
