# What all plots of plot.sh look like. size_y: their height, in pixels.
set encoding utf8
set terminal svg size 800,size_y fixed noenhanced font "sans,13" background "#ffffff"
set output 'raw.svg'
set border 3 linecolor rgb '#888888'
set style line 9 linecolor rgb '#e4e4e4' linewidth 1
set style line 10 linecolor rgb '#444444' linewidth 1 dashtype 4
set grid ytics linestyle 9 back
set tics nomirror out scale 0.5 textcolor rgb '#444444' font 'sans,12'
set xlabel textcolor rgb '#222222' font 'sans,13' offset 0,0.4
set errorbars 0.6
set key off
rgb(name) = int('0x' . name[2:7])
