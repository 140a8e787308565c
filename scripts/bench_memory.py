"""Peak memory of one seed's training process, against the bare loop's, and the sizes of what it saves."""

import tempfile
from pathlib import Path

from bench_common import MIB, parser, print_ratio, train_bare, train_genelab

from genelab.runs.run_dir import RunDir


def main() -> None:
    """Train a few iterations of each side and print what they needed; with --repeats the largest."""
    args = parser(__doc__, iterations=3, repeats=1).parse_args()
    with tempfile.TemporaryDirectory(prefix="genelab-bench-") as temporary:
        home = Path(temporary)
        peaks = [
            (
                train_genelab(home / f"genelab_{number}", args, args.iterations).peak_memory_bytes / MIB,
                train_bare(home / f"bare_{number}", args, args.iterations).peak_memory_bytes / MIB,
            )
            for number in range(args.repeats)
        ]
        ours, bare = (max(column) for column in zip(*peaks, strict=True))
        run_dir = RunDir(home / "genelab_0")
        sizes = [path.stat().st_size for path in (run_dir.final_checkpoint, run_dir.resume / "state.pt")]
        bare_size = (home / "bare_0" / f"model_{args.iterations - 1}.pt").stat().st_size
    print(f"{args.task}, {args.device}, {args.threads} thread(s), {args.iterations} iterations")
    print(f"{'':28}{'genelab':>10}{'bare':>10} {'':4}{'ratio':>8}")
    print_ratio("peak memory", ours, bare, "MiB")
    # The bare file holds weights and optimiser; what a bit-equal resume needs besides, it leaves out.
    print_ratio("checkpoint", sizes[0] / MIB, bare_size / MIB, "MiB")
    print_ratio("resume state", sizes[1] / MIB, bare_size / MIB, "MiB")


if __name__ == "__main__":
    main()
