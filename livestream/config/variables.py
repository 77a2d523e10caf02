"""Every environment variable that livestream reads, as `livestream doctor` and the documentation list them."""

from __future__ import annotations

import msgspec

DEFAULT_STUDIO_URL = "https://studio.datachain.ai"
"""Where the stock client posts when nothing else is said (dvc-studio-client 0.22 and later)."""
DEFAULT_ENDPOINT = "api/live"


class Variable(msgspec.Struct, frozen=True):
    """An environment variable that livestream reads; ``default`` says what happens without it."""

    name: str
    meaning: str
    default: str = "none"
    secret: bool = False


VARIABLES: tuple[Variable, ...] = (
    Variable("LIVESTREAM_SPOOL", "Folder of the spool.", "livestream/spool in the user's state folder"),
    Variable("LIVESTREAM_SPOOL_MODE", "local or shared (NFS, Lustre, ...); auto asks the filesystem.", "auto"),
    Variable("LIVESTREAM_DURABILITY", "process survives any kill, power also a power cut, event by event.", "process"),
    Variable("LIVESTREAM_DAEMON", "off: nobody starts a daemon; run `livestream sync` or a daemon yourself.", "auto"),
    Variable("LIVESTREAM_QUOTA_BYTES", "Most bytes the spool may hold.", "10 GiB or 10 % of the free space, the less"),
    Variable("LIVESTREAM_END_WAIT_S", "Longest wait for delivery when a training exits, in s.", "60 under CI, else 0"),
    Variable("LIVESTREAM_SIGNALS", "off leaves SIGTERM alone.", "on"),
    Variable("LIVESTREAM_RETENTION_S", "How long delivered segments are kept, in s.", "0"),
    Variable("LIVESTREAM_RANKS", "Of a Live: own lets each rank log an experiment of its own.", "first"),
    Variable("LIVESTREAM_ORPHAN_AFTER_S", "Silence after which a writer on another host is dead, in s.", "300"),
    Variable(
        "LIVESTREAM_STUDIO_DATA",
        "Folder that holds everything of `livestream studio`.",
        "livestream/studio in the user's data folder",
    ),
    Variable("DVC_STUDIO_TOKEN", "Access token of the Studio.", secret=True),
    Variable("STUDIO_TOKEN", "The same; DVC_STUDIO_TOKEN wins.", secret=True),
    Variable("DVC_STUDIO_URL", "The Studio's base URL.", DEFAULT_STUDIO_URL),
    Variable("DVC_STUDIO_REPO_URL", "The Git repository as the Studio knows it.", "the Git remote"),
    Variable("STUDIO_REPO_URL", "The same; DVC_STUDIO_REPO_URL wins.", "the Git remote"),
    Variable("DVC_STUDIO_OFFLINE", "Anything with 1, y or true in it: record, but send only by `livestream sync`."),
    Variable("STUDIO_ENDPOINT", "Path of live updates at the Studio.", DEFAULT_ENDPOINT),
    Variable("DVC_EXP_BASELINE_REV", "Commit that the experiment belongs to.", "Git's HEAD"),
    Variable("DVC_EXP_NAME", "Name of the experiment.", "the Slurm or torchrun job, else a random name"),
    Variable("DVC_EXP_GIT_REMOTE", "Name or URL of the Git remote to report; wins over DVC_STUDIO_REPO_URL."),
    Variable("DVC_GLOBAL_CONFIG_DIR", "Folder of DVC's global config.", "dvc in XDG_CONFIG_HOME"),
    Variable("DVC_SYSTEM_CONFIG_DIR", "Folder of DVC's system config.", "dvc in the first of XDG_CONFIG_DIRS"),
    Variable("RANK", "Rank of this process (torchrun).", "0"),
    Variable("SLURM_PROCID", "Rank of this process (srun).", "0"),
    Variable("OMPI_COMM_WORLD_RANK", "Rank of this process (Open MPI).", "0"),
    Variable("PMI_RANK", "Rank of this process (MPICH, Intel MPI).", "0"),
    Variable("PMIX_RANK", "Rank of this process (PMIx).", "0"),
    Variable("LOCAL_RANK", "Rank of this process on its node (Lightning), where nothing above says more.", "0"),
    Variable("NODE_RANK", "Rank of its node (Lightning).", "0"),
    Variable("SLURM_JOB_ID", "Names the experiment, so that ranks and requeued jobs are one."),
    Variable("SLURM_ARRAY_JOB_ID", "As SLURM_JOB_ID, in a job array."),
    Variable("SLURM_ARRAY_TASK_ID", "As SLURM_JOB_ID, in a job array."),
    Variable("SLURM_STEP_ID", "As SLURM_JOB_ID, for each srun of a job."),
    Variable("TORCHELASTIC_RUN_ID", "Names the experiment outside Slurm."),
    Variable("GIT_DIR", "The Git folder.", "the nearest parent that has one"),
    Variable("GIT_WORK_TREE", "The working tree that belongs to GIT_DIR.", "the current folder"),
    Variable("PATH", "Where git is looked for, only for repositories that keep references in a reftable."),
    Variable("CI", "A truthy value means that this machine is gone when the job ends."),
    Variable("HOME", "The user's folder.", "the user database"),
    Variable("XDG_CONFIG_HOME", "Holds livestream/ and dvc/.", "~/.config"),
    Variable("XDG_CONFIG_DIRS", "Holds dvc/ for the whole machine.", "/etc/xdg"),
    Variable("XDG_DATA_HOME", "Holds livestream/studio.", "~/.local/share"),
    Variable("XDG_STATE_HOME", "Holds livestream/spool.", "~/.local/state"),
    Variable("XDG_RUNTIME_DIR", "Holds the socket over which a training hands its token to the daemon."),
    Variable("HTTPS_PROXY", "Proxy for the Studio; HTTP_PROXY, ALL_PROXY and lower case too.", secret=True),
    Variable("NO_PROXY", "Hosts that are reached without the proxy."),
    Variable("SSL_CERT_FILE", "Certificates to trust, as REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE.", "the system's"),
)
