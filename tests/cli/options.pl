#!/usr/bin/perl
# options.pl WHAT [OF] - options as "-s, --since WHEN | default", sorted, one a line: of a command (help COMMAND), of all
# commands together (common), of a man page (page FILE), or only the names of those in recagent(1) (shared-help, shared).
use strict;
use warnings;

my $recagent = $ENV{RECAGENT} || 'recagent';

# Rows of --help: [section, names, default, choices].
sub from_help {
	my ($section, @rows) = ('');
	for my $line (split /\n/, `$recagent $_[0] --help`) {
		if ($line =~ /^(Options|Common options):/) {
			$section = $1;
		} elsif ($line =~ /^  (?:(-.), |    )(--[a-z-]+(?: \S+)?)(?:  +(.*))?$/) {
			push @rows, [$section, ($1 ? "$1, " : '') . $2, $3 // ''];
		} elsif (@rows && $line =~ /^ {6,}(\S.*)/) {
			$rows[-1][2] .= ' ' . $1;
		} elsif ($line =~ /^\S/) {
			$section = '';
		}
	}
	for my $r (@rows) {
		my $default = $r->[2] =~ s/ \[(.*)\]$// ? $1 : '';
		$default =~ s/^\$(\w+)( or )?/$1 . ($2 ? ', else ' : '')/e;
		push @$r, $default;
		push @$r, $r->[2] =~ /: ([a-z]+(?:\|[a-z]+)+)$/ ? $1 : '';
	}
	return @rows;
}

# A page as it is read, each paragraph on one line.
sub section {
	my ($file, $title) = @_;
	my ($on, @lines) = 0;
	for my $line (split /\n/, `mandoc -Tascii -Owidth=999,indent=2 '$file' | col -bx`) {
		$on = $1 eq $title if $line =~ /^(\S.*)/ && $line !~ /\)$/;
		push @lines, $line if $on && $line =~ /^ /;
	}
	return @lines;
}

sub from_page {
	my ($file) = @_;
	my @rows;
	for my $line (section($file, 'OPTIONS')) {
		if ($line =~ /^ *(?:(-.), )?(--[a-z-]+(?: \S+)?)$/) {
			push @rows, [($1 ? "$1, " : '') . $2, ''];
		} elsif (@rows) {
			$rows[-1][1] .= " $line";
		}
	}
	for my $r (@rows) {
		$r->[1] =~ s/ +/ /g;
		push @$r, $r->[1] =~ /Default: (.*?)\.(?: |$)/ ? $1 : '';
	}
	return @rows;
}

my ($what, $of) = @ARGV;
my @out;
if ($what eq 'help') {
	@out = map { "$_->[1] | $_->[3]" } grep { $_->[0] eq 'Options' } from_help($of);
} elsif ($what eq 'choices') {
	@out = map { "$_->[1] | $_->[4]" } grep { $_->[0] eq 'Options' && $_->[4] } from_help($of);
} elsif ($what eq 'shared-help') {
	@out = map { $_->[1] } grep { $_->[0] eq 'Common options' } from_help($of);
} elsif ($what eq 'shared') {
	my $text = join ' ', section($of, 'OPTIONS');
	@out = map { s/^ +| +$//gr } split /;/, $1 if $text =~ /described in recagent\(1\): *(.*?)\.(?: |$)/;
} elsif ($what eq 'page') {
	@out = map { "$_->[0] | $_->[2]" } from_page($of);
} elsif ($what eq 'common') {
	# The same option with another default: as "DEFAULT, COMMAND DEFAULT".
	my %seen;
	`$recagent help` =~ /Commands:\n((?:  .*\n)+)/;
	for my $cmd (map { /^  (\S+)/ } split /\n/, $1) {
		for my $r (grep { $_->[0] eq 'Common options' } from_help($cmd)) {
			my $s = $seen{$r->[1]} //= $r->[3];
			$seen{$r->[1]} .= ", $cmd $r->[3]" if $r->[3] ne "" && $s !~ /\b\Q$r->[3]\E\b/;
		}
	}
	@out = map { "$_ | $seen{$_}" } keys %seen;
} else {
	die "usage: options.pl help|choices|shared-help COMMAND | common | page|shared FILE\n";
}
print map { "$_\n" } sort @out;
