#!/usr/bin/perl
# session.pl [-v] FILE - run the shell sessions that a document shows, and compare what they print with what it says.
#
# In a man page they are the `.Bd -literal` blocks of EXAMPLES, in Markdown the blocks that begin with ```console. Other blocks
# are not run. A line that begins with "$ " is a command, "> " continues it, the lines behind are all that it prints, to standard
# output and standard error. "..." stands for anything within a line; as a line of its own, for any lines. All commands of a
# document run in one shell, in the current directory, in order.
use strict;
use warnings;

my $verbose = @ARGV && $ARGV[0] eq '-v' && shift;
my $file = shift or die "usage: session.pl [-v] FILE\n";
open my $in, '<', $file or die "$file: $!\n";
my ($run, $examples, @steps) = (0, 0);
my $mdoc = $file !~ /\.md$/;
while (my $line = <$in>) {
	chomp $line;
	if ($mdoc) {
		$examples = $1 eq 'EXAMPLES' if $line =~ /^\.Sh (.*)/;
		if ($line =~ /^\.(Bd|Ed)\b(.*)/) {
			$run = $examples && $1 eq 'Bd' && $2 =~ /-literal/;
			next;
		}
		next unless $run;
		die "$file:$.: in a session: write \\(aq for ', \\- for -, \\(ga for `\n" if $line =~ /'|(?<!\\)-|`/;
		$line =~ s/^\\&//;
		$line =~ s/\\\(aq/'/g, $line =~ s/\\\(ga/`/g, $line =~ s/\\\(ha/^/g, $line =~ s/\\\(ti/~/g;
		$line =~ s/\\-/-/g;
		$line =~ s/\\e/\\/g;
	} elsif ($line =~ /^```/) {
		$run = $line eq '```console';
		next;
	}
	next unless $run;
	if ($line =~ s/^\$ //) {
		push @steps, { no => $., cmd => $line, out => '' };
	} elsif (!@steps) {
		die "$file:$.: output without a command\n";
	} elsif ($line =~ s/^> // && $steps[-1]{out} eq '') {
		$steps[-1]{cmd} .= "\n$line";
	} else {
		$steps[-1]{out} .= "$line\n";
	}
}
die "$file: no session in it\n" unless @steps;

# One shell for all, so that what one command sets the next one sees; a control character marks where each begins.
my $script = '';
for my $s (@steps) {
	(my $quoted = $s->{cmd}) =~ s/'/'\\''/g;
	$script .= "printf '\\001\\n'; eval '$quoted'\n";
}
open my $out, '-|', 'bash', '-c', "exec 2>&1 </dev/null\n$script" or die "bash: $!\n";
my $all = do { local $/; <$out> };
close $out;
my @got = split /\001\n/, $all, -1;
shift @got;
my $bad = 0;
for my $i (0 .. $#steps) {
	my $s = $steps[$i];
	my $got = $got[$i] // "(did not run)\n";
	my $want = join '', map { $_ eq "...\n" ? "(?:.*\n)*" : join '[^\n]*', map { quotemeta } split /\.\.\./, $_, -1 }
		split /(?<=\n)/, $s->{out};
	$got .= "\n" if $got ne '' && $got !~ /\n\z/;
	print "\$ $s->{cmd}\n$got" if $verbose;
	next if $got =~ /\A$want\z/;
	print "$file:$s->{no}: \$ $s->{cmd}\n--- the document says\n$s->{out}--- it prints\n$got";
	$bad = 1;
}
exit $bad;
