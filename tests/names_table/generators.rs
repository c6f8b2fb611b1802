//! Names as the real programs make them, from a seed.

use super::Case;

/// SplitMix64: the same names in each run.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn between(&mut self, start: u64, end: u64) -> u64 {
        start + self.below(end - start)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn text(&mut self, letters: &str, len: usize) -> String {
        (0..len).map(|_| char::from(self.pick(letters.as_bytes()))).collect()
    }

    /// `k8s.io/apimachinery/pkg/util/rand`.
    fn five(&mut self) -> String {
        self.text(ALPHABET, 5)
    }

    fn hex(&mut self, len: usize) -> String {
        self.text("0123456789abcdef", len)
    }

    /// One to four words; one in ten ends in a number.
    pub(super) fn name(&mut self) -> String {
        let mut words: Vec<String> = (0..self.between(1, 5)).map(|_| self.pick(&WORDS).to_owned()).collect();
        if self.below(10) == 0 {
            words.push(self.between(1, 10).to_string());
        }
        words.join("-")
    }

    fn name_of(&mut self, len: usize) -> String {
        let mut name = String::new();
        while name.len() < len {
            name += self.pick(&WORDS);
            name.push('-');
        }
        name.truncate(len);
        // no dash at the end, and no part that was cut to something else
        let end = name.rfind('-').map_or(0, |at| at + 1);
        format!("{}{}", &name[..end.min(len - 1)], "a".repeat(len - end.min(len - 1)))
    }

    /// An FNV-1a of a template as `SafeEncodeString` writes it.
    fn hash(&mut self) -> String {
        let value = self.next() as u32;
        value.to_string().bytes().map(|b| char::from(ALPHABET.as_bytes()[usize::from(b) % 27])).collect()
    }

    /// From 2024 to 2030.
    fn seconds(&mut self) -> u64 {
        self.between(1_704_067_200, 1_893_456_000)
    }

    fn minutes(&mut self) -> u64 {
        self.seconds() / 60
    }

    /// A second as `date +%Y%m%d%H%M%S` or `+%Y%m%d-%H%M%S` has it.
    fn written_second(&mut self) -> String {
        let (minute, second) = (self.written(), self.below(60));
        let dash = if self.below(2) == 0 { "" } else { "-" };
        format!("{}{dash}{}{second:02}", &minute[..8], &minute[8..])
    }

    /// As `os.date("!%Y%m%d%H%M")` writes it.
    fn written(&mut self) -> String {
        let (year, month, day) = (self.between(2024, 2030), self.between(1, 13), self.between(1, 29));
        format!("{year}{month:02}{day:02}{:02}{:02}", self.below(24), self.below(60))
    }
}

const ALPHABET: &str = "bcdfghjklmnpqrstvwxz2456789";

const WORDS: [&str; 64] = [
    "api",
    "web",
    "frontend",
    "backend",
    "worker",
    "cache",
    "redis",
    "nginx",
    "mysql",
    "postgres",
    "kafka",
    "proxy",
    "agent",
    "sync",
    "backup",
    "report",
    "billing",
    "orders",
    "payments",
    "auth",
    "gateway",
    "ingress",
    "metrics",
    "exporter",
    "node",
    "kube",
    "state",
    "cert",
    "manager",
    "operator",
    "controller",
    "scheduler",
    "https",
    "grpc",
    "http",
    "v1",
    "v2",
    "k8s",
    "db",
    "eu",
    "us",
    "prod",
    "dev",
    "staging",
    "data",
    "etl",
    "load",
    "train",
    "model",
    "daily",
    "nightly",
    "hourly",
    "cleanup",
    "migrate",
    "import",
    "export",
    "search",
    "index",
    "queue",
    "stream",
    "batch",
    "log",
    "event",
    "user",
];

/// `SimpleNameGenerator`: the base cut to 58 bytes.
fn generate(base: &str, random: &str) -> String {
    format!("{}{random}", &base[..base.len().min(58)])
}

/// `podGenerateNameWithIndex`.
fn indexed(job: &str, index: i64, random: &str) -> String {
    let tail = format!("-{index}-");
    let room = 58 - tail.len();
    format!("{}{tail}{random}", &job[..job.len().min(room)])
}

fn pod(kind: &'static str, name: &str, value: String) -> Case {
    Case { of: "pod", kind, name: name.to_owned(), value }
}

fn job(kind: &'static str, name: &str, value: String) -> Case {
    Case { of: "job", ..pod(kind, name, value) }
}

type Row = (&'static str, fn(&mut Random) -> Case);

/// What the documentation calls a row, and who makes its names.
pub(super) const ROWS: [Row; 44] = [
    ("Deployment", |r| {
        let name = r.name();
        pod("deployment", &name, generate(&format!("{name}-{}-", r.hash()), &r.five()))
    }),
    ("Deployment, its ReplicaSet", |r| {
        let name = r.name();
        let value = format!("{name}-{}", r.hash());
        Case { of: "replicaset", ..pod("deployment", &name, value) }
    }),
    ("Deployment, Kubernetes 1.7", |r| {
        let name = r.name();
        pod("deployment", &name, generate(&format!("{name}-{}-", r.next() as u32), &r.five()))
    }),
    ("Deployment, its ReplicaSet, Kubernetes 1.7", |r| {
        let name = r.name();
        let value = format!("{name}-{}", r.next() as u32);
        Case { of: "replicaset", ..pod("deployment", &name, value) }
    }),
    ("Deployment of 48 to 53 letters", |r| {
        let len = r.between(48, 54) as usize;
        let name = r.name_of(len);
        pod("deployment", &name, generate(&format!("{name}-{}-", r.hash()), &r.five()))
    }),
    ("Deployment of 54 to 60 letters", |r| {
        let len = r.between(54, 61) as usize;
        let name = r.name_of(len);
        pod("deployment", &name, generate(&format!("{name}-{}-", r.hash()), &r.five()))
    }),
    ("CronJob, its jobs", |r| {
        let name = r.name();
        job("cronjob", &name, format!("{name}-{}", r.minutes()))
    }),
    ("CronJob", |r| {
        let name = r.name();
        pod("cronjob", &name, generate(&format!("{name}-{}-", r.minutes()), &r.five()))
    }),
    ("CronJob, Kubernetes 1.21 and 1.22", |r| {
        let name = r.name();
        pod("cronjob", &name, indexed(&format!("{name}-{}", r.minutes()), -1, &r.five()))
    }),
    ("CronJob, Kubernetes 1.20", |r| {
        let name = r.name();
        pod("cronjob", &name, generate(&format!("{name}-{}-", r.minutes() * 60), &r.five()))
    }),
    ("CronJob, Indexed", |r| {
        let name = r.name();
        let index = r.below(20) as i64;
        pod("cronjob", &name, indexed(&format!("{name}-{}", r.minutes()), index, &r.five()))
    }),
    ("CronJob of 49 to 52 letters", |r| {
        let len = r.between(49, 53) as usize;
        let name = r.name_of(len);
        pod("cronjob", &name, generate(&format!("{name}-{}-", r.minutes()), &r.five()))
    }),
    ("CronJob, Indexed, of 47 to 52 letters", |r| {
        let len = r.between(47, 53) as usize;
        let name = r.name_of(len);
        let index = r.below(20) as i64;
        pod("cronjob", &name, indexed(&format!("{name}-{}", r.minutes()), index, &r.five()))
    }),
    ("CronJob, a job by Argo CD", |r| {
        let name = r.name();
        job("cronjob", &name, format!("{name}-{}", r.written()))
    }),
    ("CronJob, a job's pod by Argo CD", |r| {
        let name = r.name();
        pod("cronjob", &name, generate(&format!("{name}-{}-", r.written()), &r.five()))
    }),
    ("Job", |r| {
        let name = r.name();
        pod("job", &name, generate(&format!("{name}-"), &r.five()))
    }),
    ("Job, Kubernetes 1.21 and 1.22", |r| {
        let name = r.name();
        pod("job", &name, indexed(&name, -1, &r.five()))
    }),
    ("Job, Indexed", |r| {
        let name = r.name();
        let index = r.below(20) as i64;
        pod("indexed_job", &name, indexed(&name, index, &r.five()))
    }),
    ("Job, generated, its name", |r| {
        let name = r.name();
        job("job", &name, generate(&format!("{name}-"), &r.five()))
    }),
    ("Job, generated, its pod", |r| {
        let name = r.name();
        let own = generate(&format!("{name}-"), &r.five());
        pod("job", &name, generate(&format!("{own}-"), &r.five()))
    }),
    ("DaemonSet", |r| {
        let name = r.name();
        pod("daemonset", &name, generate(&format!("{name}-"), &r.five()))
    }),
    ("StatefulSet", |r| {
        let name = r.name();
        pod("statefulset", &name, format!("{name}-{}", r.below(50)))
    }),
    ("OpenShift DeploymentConfig", |r| {
        let name = r.name();
        let config = format!("{name}-{}-", r.between(1, 40));
        pod("deploymentconfig", &name, generate(&config, &r.five()))
    }),
    ("Spark 3", |r| {
        let name = r.name();
        let id = r.hex(16);
        pod("spark", &name, format!("{name}-{id}-{}", executor(r)))
    }),
    ("Spark 2.4", |r| {
        let name = r.name();
        let id = r.seconds() * 1000 + r.below(1000);
        pod("spark", &name, format!("{name}-{id}-{}", executor(r)))
    }),
    ("Spark 2.3", |r| {
        let name = r.name();
        let id = r.hex(32);
        pod("spark", &name, format!("{name}-{id}-{}", executor(r)))
    }),
    ("Airflow", |r| {
        let name = r.name();
        pod("airflow", &name, format!("{name}-{}", r.text("abcdefghijklmnopqrstuvwxyz0123456789", 8)))
    }),
    ("Airflow 2.0 to 2.3", |r| {
        let name = r.name();
        pod("airflow", &name, format!("{name}.{}", r.hex(32)))
    }),
    ("Airflow 1.10", |r| {
        let name = r.name();
        pod("airflow", &name, format!("{name}-{}", r.hex(32)))
    }),
    ("Tekton", |r| {
        let (name, task) = (r.name(), r.name());
        pod("tekton", &name, format!("{name}-{}-{task}-pod", r.five()))
    }),
    ("Tekton, a TaskRun of its own", |r| {
        let name = r.name();
        pod("tekton", &name, format!("{name}-{}-pod", r.five()))
    }),
    ("Tekton before 0.24", |r| {
        let (name, task) = (r.name(), r.name());
        pod("tekton", &name, format!("{name}-{}-{task}-{}-pod-{}", r.five(), r.five(), r.five()))
    }),
    ("Tekton, more than 63 letters", |r| {
        let name = r.name();
        let own = format!("{name}-{}-{}", r.five(), r.name_of(60));
        pod("tekton", &name, format!("{}{}-pod", &own[..27], r.hex(32)))
    }),
    ("Argo", |r| {
        let (name, template) = (r.name(), r.name());
        pod("argo", &name, format!("{name}-{}-{template}-{}", r.five(), r.next() as u32))
    }),
    ("Argo, names of version 1", |r| {
        let name = r.name();
        pod("argo", &name, format!("{name}-{}-{}", r.five(), r.next() as u32))
    }),
    ("Argo, a CronWorkflow", |r| {
        let (name, template) = (r.name(), r.name());
        pod("argo", &name, format!("{name}-{}-{template}-{}", r.minutes() * 60, r.next() as u32))
    }),
    ("Argo, a CronWorkflow of one template", |r| {
        let name = r.name();
        pod("argo", &name, format!("{name}-{}", r.minutes() * 60))
    }),
    ("Knative", |r| {
        let name = r.name();
        let revision = format!("{name}-{:05}-deployment", r.between(1, 300));
        pod("knative", &name, generate(&format!("{revision}-{}-", r.hash()), &r.five()))
    }),
    ("GitLab runner", |r| {
        let token = r.text("abcdefghijklmnopqrstuvwxyz0123456789", 8);
        let name = format!("runner-{token}-project-{}", r.between(1, 90_000));
        pod("gitlab_runner", &name, format!("{name}-concurrent-{}-{}", r.below(30), r.text(ALPHABET, 8)))
    }),
    ("nothing: a pod that a person named", |r| {
        let name = r.name();
        let value = match r.below(4) {
            0 => format!("{name}-v{}.{}.{}", r.below(4), r.below(30), r.below(9)),
            1 => format!("{name}-2026{:02}{:02}", r.between(1, 13), r.between(1, 29)),
            2 => format!("{name}-2026-{:02}-{:02}", r.between(1, 13), r.between(1, 29)),
            _ => format!("{name}-{}", r.pick(&WORDS)),
        };
        pod("nothing", "", value)
    }),
    ("nothing: a job that a person named", |r| {
        let name = r.name();
        let value = match r.below(3) {
            0 => format!("{name}-v{}", r.below(40)),
            1 => format!("{name}-2026{:02}{:02}", r.between(1, 13), r.between(1, 29)),
            _ => name,
        };
        job("nothing", "", value)
    }),
    ("nothing: a node", |r| {
        let address = format!("ip-10-{}-{}-{}", r.below(256), r.below(256), r.below(256));
        let value = match r.below(3) {
            0 => address,
            1 => format!("{address}.eu-west-1.compute.internal"),
            _ => format!("gke-prod-pool-{}-{}", r.hex(8), r.text("abcdefghijklmnopqrstuvwxyz0123456789", 4)),
        };
        pod("nothing", "", value)
    }),
    ("Job, named by the second", |r| {
        let name = r.name();
        let value = format!("{name}-{}", r.written_second());
        job("job", &name, value)
    }),
    ("Job, named by the second, its pod", |r| {
        let name = r.name();
        let value = format!("{name}-{}-", r.written_second());
        pod("job", &name, generate(&value, &r.five()))
    }),
];

fn executor(r: &mut Random) -> String {
    if r.below(4) == 0 { "driver".to_owned() } else { format!("exec-{}", r.between(1, 300)) }
}
